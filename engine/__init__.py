"""The engine: everything but the screens. Light, except `engine.worker`."""
