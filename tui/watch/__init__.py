"""Watch: charts, samples and log of one run."""
