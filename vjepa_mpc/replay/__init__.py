"""Planning recorded cycles again, off-line: as the node did to the last bit, or with something changed."""
