"""Accepted plans become set-points and finger commands, and a motion's end is noticed."""
