"""The parts of a `synthesize` job that need heavy libraries."""
