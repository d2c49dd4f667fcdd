"""What a planner found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from vjepa_mpc.planning.outlook import Outlook

StoppedBy = Literal["iterations", "converged", "deadline"]


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """What one iteration predicted.

    Attributes:
        actions: [S, H, 7] float32 on the CPU: dx, dy, dz in metres, three rotations (radians) of zero, change of
            closedness; robot base frame. They change a pose's x, y, z and gripper.
        energies: [S] float32 on the CPU; lower is better.
    """

    actions: Tensor
    energies: Tensor


@dataclass(frozen=True, kw_only=True)
class PlanResult:
    """What a planner found.

    Attributes:
        actions: [H, 7] float32 on the CPU, as in :class:`Candidates`; the first one is to be executed.
        energies: lowest energy among the candidates of each iteration, and last that of what the optimiser made of
            them, if it went on. Empty when there was time for no iteration: then the actions are the warm start or,
            without one, no motion.
        elite_std: [H, 4] spread of the last elites in x, y, z (metres) and gripper.
        elites: [K, H, 7] the best candidates of the last iteration, lowest energy first.
        elite_energies: [K] float32 on the CPU; theirs.
        stopped_by: what ended the search: all ``iterations`` done, elites ``converged``, or the time budget
            (``deadline``).
        candidate_steps: predictions made by the search: candidates times horizon.
        timings: seconds by stage; ``total`` covers the whole call.
        stay: [H, 7] float32 on the CPU: doing nothing, but for coordinates that are given; None without an outlook.
        outlook: what the actions promise; None when there was not the time to predict it.
        history: what each iteration predicted, if ``keep_candidates`` asked for it; otherwise None.
    """

    actions: Tensor
    energies: tuple[float, ...]
    elite_std: Tensor
    elites: Tensor
    elite_energies: Tensor
    stopped_by: StoppedBy
    candidate_steps: int
    timings: dict[str, float]
    stay: Tensor | None = None
    outlook: Outlook | None = None
    history: tuple[Candidates, ...] | None = None

    @property
    def arrived(self) -> bool:
        """Whether it was planned where nothing is nearer to the goal; False where nobody knows."""
        return self.outlook is not None and self.outlook.arrived
