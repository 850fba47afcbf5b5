"""The card of an export: the run, its license, what it gained and forgot, how to use it."""
