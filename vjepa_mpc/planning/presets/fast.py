"""Within two percent of ``realtime``'s energy for three tenths of its predictions, 1.5 % of ``paper``'s.

Measured by ``benchmarks/bench_quality.py``. It is ``realtime`` with as few samples and elites as that takes, kept from
narrowing down too soon: for machines on which ``realtime`` is too slow.
"""

from vjepa_mpc.planning.config import CEMConfig

FAST = CEMConfig(
    rollout=1,
    samples=18,
    topk=4,
    cem_steps=6,
    maxnorm=0.075,
    momentum_mean=0.1,
    momentum_std=0.1,
    sampling="sobol",
    keep_elites=0.3,
    mean_candidate=True,
    std_floor=0.03,
    selection="best",
)
