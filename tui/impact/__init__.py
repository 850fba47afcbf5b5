"""Impact: what each stage gained and lost, skill by skill, and the items and answers behind it."""
