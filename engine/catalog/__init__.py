"""What can be picked: checkpoints, adapters, data sets."""
