"""Suites, scores and statistics: what was gained and what was forgotten."""
