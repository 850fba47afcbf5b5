"""Rows of data on their way to the model: drawn, compared, encoded, put together, and shown."""
