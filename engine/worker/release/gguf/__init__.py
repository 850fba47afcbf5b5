"""GGUF files of merged models: tensors, metadata and vocabulary."""
