"""Latents as pictures: decoders, their files, and the nearest seen picture where there is no decoder."""
