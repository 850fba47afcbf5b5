"""Every page and window as text: the characters and the role of each cell, kept in `frames/`."""
