"""How fast a world model computes: number formats, compiled and quantised rollouts, settings of the process."""
