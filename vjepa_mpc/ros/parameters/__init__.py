"""Parameters of the nodes: declared, checked as a whole, read as one frozen snapshot."""
