"""The node that records what goes into the planner and what comes out of it."""
