"""Vocabularies and tokenizer files, read without a heavy library."""
