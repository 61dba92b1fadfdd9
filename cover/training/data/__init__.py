"""The videos of a training: sets, batches, features and their cache."""
