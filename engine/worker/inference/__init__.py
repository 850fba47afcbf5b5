"""What a model says: models in memory, decoding, scoring, endpoints."""
