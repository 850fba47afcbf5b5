"""Which files may be tokenizers, and what workers tell of them. Reads no vocabulary: workers do."""
