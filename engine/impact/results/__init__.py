"""What was measured: `results.json`, answers to an item, several evaluations as one."""
