"""The defaults of the notebook that was published with V-JEPA 2: two shorter steps."""

from vjepa_mpc.planning.config import CEMConfig

NOTEBOOK = CEMConfig(rollout=2, samples=400, topk=10, cem_steps=10, maxnorm=0.05)
