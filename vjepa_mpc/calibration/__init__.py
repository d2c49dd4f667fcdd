"""Camera calibration: the moves, the fitted rotation, and what it explains."""
