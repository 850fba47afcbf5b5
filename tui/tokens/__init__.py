"""Tokens as screens show them: blocks of text, counts, what the companion makes of a text."""
