"""The folders of an export: weights, tokenizers, and the files beside them."""
