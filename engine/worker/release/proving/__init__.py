"""Whether what is shipped is what was trained: measured in processes that start anew."""
