"""Estimates before a run: parameters, activations, memory, duration, and whether it fits."""
