"""What all nodes share: message conversions, the life of a process, optional message packages."""
