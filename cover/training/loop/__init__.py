"""What happens in an epoch: the module, losses, schedule, history."""
