"""Where and how a plan is computed: micro-batches, time budgets, CUDA graphs, several processes."""
