"""The energy around an action: what else could have been done, and how good the model takes it to be."""
