"""Training of a pixel decoder for the latents of a frozen encoder."""
