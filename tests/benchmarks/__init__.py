"""Measurements that `python -m` runs."""
