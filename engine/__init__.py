"""The engine: everything but the screens. Light, except `engine.worker`."""

LAYOUT = 2
"""Counts the times that modules moved: see `engine.worker.version_check`."""
