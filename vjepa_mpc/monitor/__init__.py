"""Notices what goes wrong in work that it has seen go right; the parts are told in ``docs/monitoring.md``."""
