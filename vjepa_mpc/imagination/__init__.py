"""Pictures of what a planner thinks: where it would lead the hand, and where it was wrong."""
