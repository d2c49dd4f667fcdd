"""Within two percent of ``realtime``'s energy for three tenths of its predictions, 1.5 % of ``paper``'s.

Measured by ``benchmarks/bench_quality.py``. It is ``realtime`` with as few samples and elites as that takes, kept from
narrowing down too soon: for machines on which ``realtime`` is too slow.
"""

from dataclasses import replace

from vjepa_mpc.planning.presets import realtime

FAST = replace(realtime.REALTIME, samples=18, topk=4, std_floor=0.03)
