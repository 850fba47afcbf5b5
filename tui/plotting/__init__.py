"""Charts as plain cells: axes and pictures, without a screen."""
