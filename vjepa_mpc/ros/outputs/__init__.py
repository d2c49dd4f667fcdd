"""What the planner node publishes; one file for each kind of output."""
