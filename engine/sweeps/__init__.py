"""Sweeps: the points of a grid, the runs of these points, and what came of them."""
