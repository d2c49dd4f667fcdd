"""Do plans mean anything: does it matter to the goal what the arm does, and does what they promise come true?"""

from __future__ import annotations

from dataclasses import dataclass

from vjepa_mpc.options import option
from vjepa_mpc.safety.guards.interface import GuardOptions, StepGuard
from vjepa_mpc.safety.guards.violation import Violation
from vjepa_mpc.safety.reasons import Reason
from vjepa_mpc.safety.samples import PlannedStep


@dataclass(frozen=True)
class _Taken:
    """A step that is being carried out, or was: the energy before it, and by how much it was to fall."""

    energy: float
    promise: float
    serious: bool


class ProgressGuard(StepGuard):
    """Watches the energies of steps that are proposed one after the other for one sub-goal.

    Steps without an outlook are let pass.
    """

    @dataclass(frozen=True, kw_only=True)
    class Options(GuardOptions):
        """When a plan means nothing."""

        goal_contrast: float = option(
            0.02,
            "The arm holds (GOAL_NOT_SEEN) where candidate actions lower the energy by less than this share of it: the "
            "goal picture then has nothing to do with what the camera shows. 0: never.",
            low=0.0,
            high=1.0,
            live=True,
        )
        progress_steps: int = option(
            3,
            "The arm holds (NO_PROGRESS) when so many steps in a row have not lowered the energy as planned. 0: never.",
            low=0,
            high=1000,
            live=True,
        )
        progress_share: float = option(
            0.3,
            "Share of the planned fall of the energy that progress_steps steps have to reach together.",
            low=0.0,
            high=1.0,
            live=True,
        )

    reasons = (Reason.GOAL_NOT_SEEN, Reason.NO_PROGRESS)

    def __init__(self, options: Options) -> None:
        self._options = options
        self._sub_goal: tuple[int, int] | None = None
        self._taken: list[_Taken] = []
        self._found: Violation | None = None
        self._found_at = _Taken(0.0, 0.0, serious=True)

    def change(self, options: Options) -> None:
        """Judge by other options from now on, as in a new attempt."""
        self._options = options
        self.forget()

    @property
    def violation(self) -> Violation | None:
        """What was wrong with the newest proposal; None when nothing was."""
        return self._found

    def look(self, step: PlannedStep) -> Violation | None:
        """What is wrong now that this step is proposed: its energy tells how the steps before it went."""
        self._begin(step)
        outlook = step.outlook
        if outlook is None:
            self._found = None
        elif outlook.contrast < self._options.goal_contrast:
            shares = f"the best of all actions lowers the energy {outlook.still:.4g} by {100 * outlook.contrast:.2g} %"
            self._find(step, Violation(Reason.GOAL_NOT_SEEN, shares))
        elif self._found is None or self._found.reason is Reason.GOAL_NOT_SEEN or self._scene_changed(step):
            self._find(step, self._no_progress(step.energy))
        return self._found

    def accepted(self, step: PlannedStep) -> None:
        """The step is being carried out."""
        self._begin(step)
        outlook = step.outlook
        if outlook is None:
            self._taken.clear()
            return
        self._taken.append(_Taken(step.energy, outlook.promise, serious=outlook.serious))
        del self._taken[: -max(self._options.progress_steps, 1)]

    def interrupted(self) -> None:
        """The arm was stopped or moved by somebody else: what was promised before does not count any more."""
        self._taken.clear()

    def forget(self) -> None:
        """Another goal was set, or somebody wants another attempt."""
        self._taken.clear()
        self._found = self._sub_goal = None

    def _begin(self, step: PlannedStep) -> None:
        sub_goal = (step.goal_id, step.goal_index)
        if sub_goal != self._sub_goal:
            self.forget()
            self._sub_goal = sub_goal

    def _find(self, step: PlannedStep, found: Violation | None) -> None:
        outlook = step.outlook
        self._found = found
        if found is not None and outlook is not None:
            self._found_at = _Taken(step.energy, max(outlook.promise, 0.0), serious=True)

    def _no_progress(self, energy: float) -> Violation | None:
        steps, taken = self._options.progress_steps, self._taken
        if not steps or len(taken) < steps or not all(step.serious for step in taken):
            return None
        promised, fell = sum(step.promise for step in taken), taken[0].energy - energy
        if fell >= self._options.progress_share * promised:
            return None
        how = f"rose by {-fell:.4g}" if fell < 0.0 else f"fell by {fell:.4g}"
        detail = f"in {steps} steps the energy was to fall by {promised:.4g} and {how}, to {energy:.4g}"
        return Violation(Reason.NO_PROGRESS, detail)

    def _scene_changed(self, step: PlannedStep) -> bool:
        """Whether the camera shows something else than when the arm was stopped, or nothing more is to be done."""
        outlook, before = step.outlook, self._found_at
        arrived = outlook is not None and not outlook.serious
        return arrived or abs(step.energy - before.energy) > before.promise
