"""V-JEPA 2: the encoder, the action-conditioned predictor, and rollouts that compute nothing twice."""
