"""Whether the arm may move: the supervisor, what it watches, and the names of all reasons not to."""
