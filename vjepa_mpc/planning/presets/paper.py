"""The robot experiments of arXiv 2506.09985: a single long step and many samples."""

from vjepa_mpc.planning.config import CEMConfig

PAPER = CEMConfig(rollout=1, samples=800, topk=10, cem_steps=10, maxnorm=0.075)
