"""Curves from scores to the scale of a MOS."""
