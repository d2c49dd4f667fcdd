"""Faults injected into real processes: what the planner does then, measured."""
