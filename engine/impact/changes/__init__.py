"""What changed from arm to arm: tests, verdicts, flips, the skill table and its summary."""
