"""Training on mean opinion scores: features once, then gates, heads and backbones in stages."""
