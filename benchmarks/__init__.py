"""Benchmarks: each prints tables, none asserts a time."""
