"""The node with which an arm collects data by itself."""
