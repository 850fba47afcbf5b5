"""Models that can be picked: bundled, local folders, the hub cache, adapters, outputs of runs."""
