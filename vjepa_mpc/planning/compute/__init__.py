"""Where and how candidates are computed: micro-batches, memory, time budgets, CUDA graphs, several processes.

The planner and its optimisers know :class:`~vjepa_mpc.planning.compute.scorer.Scorer` only.
"""
