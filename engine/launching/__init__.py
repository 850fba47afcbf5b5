"""What starts jobs: names are looked up first, so that a wrong one fails here and now."""
