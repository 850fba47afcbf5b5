"""Runs: the lists of jobs and of watched logs."""
