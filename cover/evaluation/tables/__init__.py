"""Tables of predictions: read, joined, measured."""
