"""The terminal dashboard and the command `finetop`."""
