"""Checkpoints in the forms that people have them in: read, understood, checked, and written with their provenance."""
