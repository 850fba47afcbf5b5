"""What reads jobs, logs and the machine, always on a thread, and posts what has changed."""
