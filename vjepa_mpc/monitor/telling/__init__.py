"""How a deviation is told to people: a marked picture, and a log."""
