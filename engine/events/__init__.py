"""TensorBoard event files, read incrementally."""
