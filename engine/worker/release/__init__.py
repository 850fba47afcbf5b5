"""Weights and files of an export, and the measurements that prove them."""
