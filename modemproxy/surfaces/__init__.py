"""What clients touch: listeners, access rules, and the relay between two streams."""
