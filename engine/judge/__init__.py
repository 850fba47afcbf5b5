"""A model as the judge of pairs of answers: what it is asked, and how far it can be trusted."""
