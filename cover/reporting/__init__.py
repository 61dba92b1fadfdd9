"""Reporting: progress, tables and pictures of results."""
