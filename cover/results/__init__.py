"""The results folder: what a run writes, and what is read, selected and compared from it."""
