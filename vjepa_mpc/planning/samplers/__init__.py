"""Where candidates come from; one file for each way to draw them."""
