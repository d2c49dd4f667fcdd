"""Training episodes: how the arm plays with a block, and what is recorded of it."""
