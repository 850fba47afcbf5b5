"""Arms and the samples they give."""
