"""How well the monitor notices what goes wrong, in the simulator: the work, its deviations, baselines, the table."""
