"""The energy of ``paper`` for a twentieth of its predictions (measured by ``benchmarks/bench_quality.py``).

It is iCEM (arXiv 2008.06389) on evenly spread samples: the best candidates stay in the competition, the mean is a
candidate itself, and the best candidate of all is returned instead of the last mean.
"""

from vjepa_mpc.planning.config import CEMConfig

REALTIME = CEMConfig(
    rollout=1,
    samples=64,
    topk=8,
    cem_steps=6,
    maxnorm=0.075,
    momentum_mean=0.1,
    momentum_std=0.1,
    sampling="sobol",
    keep_elites=0.3,
    mean_candidate=True,
    selection="best",
)
