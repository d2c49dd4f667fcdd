"""Guards: each watches one input and says what is wrong with it."""
