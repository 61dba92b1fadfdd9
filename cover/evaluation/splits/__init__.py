"""Splits of a dataset, and the contents that they keep apart."""
