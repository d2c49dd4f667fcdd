"""The published planner, small enough for two or three plans per second of the bundled model on two CPU cores."""

from vjepa_mpc.planning.config import CEMConfig

CPU = CEMConfig(rollout=1, samples=100, topk=10, cem_steps=6, maxnorm=0.075)
