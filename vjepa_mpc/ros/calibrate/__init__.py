"""The camera calibration as a node."""
