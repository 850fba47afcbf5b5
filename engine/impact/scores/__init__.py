"""How right one answer is, by each measure."""
