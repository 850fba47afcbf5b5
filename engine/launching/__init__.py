"""Starting jobs: names are resolved first, so that a wrong one fails at once."""
