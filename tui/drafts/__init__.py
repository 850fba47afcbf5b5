"""A run before its launch: its fields, whether it fits, what it would learn."""
