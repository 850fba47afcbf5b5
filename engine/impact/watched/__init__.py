"""Skills that a run measures while it trains."""
