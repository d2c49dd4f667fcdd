"""What a monitor made of one run."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vjepa_mpc.evaluation.monitoring.deviations import NAMES
from vjepa_mpc.monitor.fit import Fitted
from vjepa_mpc.monitor.sight import Sights
from vjepa_mpc.monitor.watch import watch_run


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One run under the monitor.

    Attributes:
        kind, seed, onset, step_seconds: of the run, see :class:`~vjepa_mpc.evaluation.monitoring.recording.SimRun`.
        score: the largest excess over its threshold of any check, so above 0 is an alarm.
        began: stamp of the first alarm; NaN without one.
        name: the class at the end of the first deviation; "" without one.
        first_name: the class that it was given at once.
    """

    kind: str
    seed: int
    onset: float
    step_seconds: float
    score: float
    began: float
    name: str
    first_name: str

    @property
    def noticed(self) -> bool:
        """Whether the first alarm came, and not before anything was wrong."""
        return bool(self.began >= (self.onset if math.isfinite(self.onset) else -math.inf))

    @property
    def named_right(self) -> bool:
        """Whether it was noticed and has the class that it should be given."""
        return self.noticed and self.name == NAMES.get(self.kind)

    @property
    def delay(self) -> float:
        """Seconds from the onset to the alarm; infinite where there was none, or an early one."""
        return self.began - self.onset if self.noticed else math.inf


def watch(fitted: Fitted, run: Sights, kind: str, seed: int, onset: float, step_seconds: float) -> Outcome:
    """Show a recorded run to a monitor, picture by picture."""
    watched = watch_run(fitted, run, fitted.encoder)
    first = watched.deviations[0] if watched.deviations else None
    return Outcome(
        kind=kind,
        seed=seed,
        onset=onset,
        step_seconds=step_seconds,
        score=max(float(fitted.thresholds.excess(watched.largest).max()), 1e-6 if first else -math.inf),
        began=first.began if first else math.nan,
        name=first.name if first else "",
        first_name=first.first_name if first else "",
    )


def auroc(normal: np.ndarray, wrong: np.ndarray) -> float:
    """Probability that a run that goes wrong scores higher than a normal one; ties count half."""
    above = (wrong[:, None] > normal[None]).mean()
    return float(above + 0.5 * (wrong[:, None] == normal[None]).mean())
