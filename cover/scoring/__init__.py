"""Scoring: from videos to scores and score maps, one at a time or in a results folder."""
