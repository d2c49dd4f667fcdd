"""Is what the camera shows what was predicted: has something happened that the arm did not do?"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from vjepa_mpc.options import option
from vjepa_mpc.safety.guards.interface import GuardOptions, StepGuard
from vjepa_mpc.safety.guards.violation import Violation
from vjepa_mpc.safety.reasons import Reason
from vjepa_mpc.safety.samples import PlannedStep

REMEMBERED = 500  # surprises that tell what is usual


class SurpriseGuard(StepGuard):
    """Compares each step's surprise with those of the steps that were carried out before, whatever their goals.

    Only their order counts, so that a model's scale does not matter. If nothing unusual happens, each of n + 1
    surprises is the largest with probability 1 / (n + 1), whatever they are distributed like (conformal prediction,
    e.g. arXiv 2107.07511): a quantile q holds an ordinary step with probability 1 - q, and can be judged by once
    1 / (1 - q) - 1 steps were carried out.
    """

    @dataclass(frozen=True, kw_only=True)
    class Options(GuardOptions):
        """When a surprise is too large."""

        surprise_quantile: float = option(
            0.0,
            "The arm holds (SURPRISE) when the camera shows something else than was predicted after the step before, "
            "by more than in this share of the steps so far: 0.99 holds one ordinary step in a hundred, and nothing "
            "before 99 steps were carried out. 0: never.",
            low=0.0,
            high=0.999,
            live=True,
        )

    reasons = (Reason.SURPRISE,)

    def __init__(self, options: Options) -> None:
        self._options = options
        self._usual: deque[float] = deque(maxlen=REMEMBERED)
        self._found: Violation | None = None

    @property
    def violation(self) -> Violation | None:
        """What was wrong with the newest proposal; None when nothing was."""
        return self._found

    def rank(self, surprise: float) -> float:
        """Share of the usual surprises, this one among them, that it is larger than or equal to; NaN for none."""
        if math.isnan(surprise) or not self._usual:
            return math.nan
        smaller = sum(usual < surprise for usual in self._usual)
        return smaller / (len(self._usual) + 1)

    def look(self, step: PlannedStep) -> Violation | None:
        """Whether what was seen is unusual beside what was predicted; not where nothing was predicted."""
        self._found, quantile = None, self._options.surprise_quantile
        count = len(self._usual)
        # Of n + 1 surprises only the largest can have a rank of n / (n + 1).
        if quantile and count / (count + 1) >= quantile - 1e-9 and self.rank(step.surprise) >= quantile - 1e-9:
            detail = (
                f"{step.surprise:.4g} away from what was predicted (L1 of the latents), more than {quantile:g} of the "
                f"last {count} steps, whose median is {sorted(self._usual)[count // 2]:.4g}"
            )
            self._found = Violation(Reason.SURPRISE, detail)
        return self._found

    def accepted(self, step: PlannedStep) -> None:
        """The step is being carried out: what surprised in its picture was usual, or nobody minded."""
        if not math.isnan(step.surprise):
            self._usual.append(step.surprise)

    def change(self, options: Options) -> None:
        """Judge by other options from now on."""
        self._options = options
        self._found = None

    def forget(self) -> None:
        """Another goal, or another attempt; what is usual stays."""
        self._found = None
