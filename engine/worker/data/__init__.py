"""Rows of data on their way to the model: split, encoded, batched, packed, and reported."""
