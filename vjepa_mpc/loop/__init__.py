"""The control loop, the planning thread and what passes between them."""
