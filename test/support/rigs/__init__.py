"""Parts of the package wired up for tests, with stand-ins for the rest, and what their results are held to."""
