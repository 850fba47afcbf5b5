"""Data sets: from bytes to raw rows, and from raw rows to examples."""
