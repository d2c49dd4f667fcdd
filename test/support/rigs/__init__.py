"""Parts of the package wired up with stand-ins for the rest, for tests."""
