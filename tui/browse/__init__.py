"""Browse: the stored answers of a job, pair by pair; their metrics, token shift and votes."""
