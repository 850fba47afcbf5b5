"""A model on its way into memory: where it lies, its number format, what of it is learned."""
