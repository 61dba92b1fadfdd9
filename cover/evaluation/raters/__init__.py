"""Ratings of single raters: their means, their agreement, their intervals."""
