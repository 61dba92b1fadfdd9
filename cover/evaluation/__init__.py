"""Evaluation: how well scores agree with mean opinion scores, and on which videos that is measured."""
