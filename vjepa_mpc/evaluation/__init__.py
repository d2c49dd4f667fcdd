"""Closed-loop evaluation in the simulator: episodes, baselines, reports."""
