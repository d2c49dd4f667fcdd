"""The libfranka driver as a node."""
