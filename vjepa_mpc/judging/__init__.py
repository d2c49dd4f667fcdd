"""Judging a world model on recordings, before the arm moves: what it predicts, what it would do, and a verdict."""
