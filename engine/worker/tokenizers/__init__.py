"""Tokenizers in memory: loaded, used on texts, and decoded token by token."""
