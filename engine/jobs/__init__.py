"""Jobs: a detached process that owns one directory."""
