"""Charts as cells: axes, curves and what is drawn of them, exported or remembered."""
