"""The threads that read jobs, logs and hardware, and post what has changed."""
