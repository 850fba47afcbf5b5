"""Sweeps: grids, their files and their tables."""
