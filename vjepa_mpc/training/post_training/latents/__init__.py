"""Recordings as latents: which frames make a clip, encoding each once, and keeping what was encoded."""
