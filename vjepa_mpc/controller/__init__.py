"""Controllers propose the next action; visual MPC is one of them."""
