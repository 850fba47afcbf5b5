"""The scripts that made the bundled model and data; not part of the wheel."""
