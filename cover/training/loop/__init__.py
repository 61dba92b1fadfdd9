"""The training of an epoch: the module, losses, schedule, history."""
