"""Adaptation to few rated videos."""
