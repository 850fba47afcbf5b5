"""Make data: what is asked of which source, the job while it works, and the review of its rows."""
