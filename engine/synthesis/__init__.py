"""Rows to train on, made of raw texts: what is asked, what came of it, what a person decided."""
