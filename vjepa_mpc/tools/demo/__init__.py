"""The demo: simulated arm and planner, goals, a live line, a table and a video."""
