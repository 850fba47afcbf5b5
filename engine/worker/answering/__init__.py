"""What a model says: bases in memory, answers token by token, and what can be asked of them."""
