"""Launch: a run before it starts; its fields, whether it fits, what it would train on."""
