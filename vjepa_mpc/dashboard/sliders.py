"""The parameters that may change while the planner runs, each as the control that its type and range ask for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from vjepa_mpc.dashboard.seen import Tunable

Tune = Callable[[str, Any], None]

# A slider that spans more than so many whole numbers, or times its lowest real one, is too coarse to be of use.
MOST_WHOLE, MOST_REAL = 100, 1000
_STEPS = 200  # of a slider for real numbers
# What operators reach for; all else is folded away by its prefix.
_FIRST = ("samples", "cem_steps", "topk", "maxnorm", "rollout", "time_budget")
_OTHERS = "planner"


class Sliders:
    """Builds the controls once the parameters are known, and follows changes that others make.

    Args:
        gui: viser's, in the container where they belong.
        tune: called with name and value when somebody moves one.
    """

    def __init__(self, gui: Any, tune: Tune) -> None:
        self._gui, self._tune = gui, tune
        self._controls: dict[str, Any] = {}
        self._shown: tuple[Tunable, ...] = ()

    def show(self, tunables: tuple[Tunable, ...], container: Any) -> None:
        """Show the present values; any thread, but one at a time."""
        if tunables is self._shown:
            return
        if {each.name for each in tunables} != set(self._controls):
            self._build(tunables, container)
        for each in tunables:
            if self._controls[each.name].value != each.value:
                self._controls[each.name].value = each.value
        self._shown = tunables

    def _build(self, tunables: tuple[Tunable, ...], container: Any) -> None:
        for control in self._controls.values():
            control.remove()
        self._controls.clear()
        with container:
            for title, members in grouped(tunables):
                with self._gui.add_folder(title, expand_by_default=title == FAVOURITES):
                    for each in members:
                        self._controls[each.name] = self._control(each)

    def _control(self, tunable: Tunable) -> Any:
        control = make_control(self._gui, tunable)

        @control.on_update
        def _(event: Any) -> None:
            if event.client is not None:  # somebody moved it; else it follows the planner
                self._tune(tunable.name, event.target.value)

        return control


FAVOURITES = "most used"


def grouped(tunables: tuple[Tunable, ...]) -> list[tuple[str, list[Tunable]]]:
    """The parameters in folders: those most used first, the others by their prefix."""
    folders: dict[str, list[Tunable]] = defaultdict(list)
    by_name = {each.name: each for each in tunables}
    folders[FAVOURITES] = [by_name[name] for name in _FIRST if name in by_name]
    for each in tunables:
        if each.name not in _FIRST:
            prefix, dot, _ = each.name.partition(".")
            folders[prefix if dot else _OTHERS].append(each)
    return [(title, members) for title, members in folders.items() if members]


def make_control(gui: Any, tunable: Tunable) -> Any:
    """A checkbox, a list, a text field, a slider, or a number where a slider would be too coarse."""
    value, name, hint = tunable.value, tunable.name, tunable.text
    if isinstance(value, bool):
        return gui.add_checkbox(name, value, hint=hint)
    if isinstance(value, str):
        if tunable.choices and value in tunable.choices:
            return gui.add_dropdown(name, tunable.choices, initial_value=value, hint=hint)
        return gui.add_text(name, value, hint=hint)
    if suits_a_slider(tunable):
        low, high = tunable.low, tunable.high
        assert low is not None and high is not None
        whole = isinstance(value, int)
        step = 1 if whole else (high - low) / _STEPS
        kind = int if whole else float
        return gui.add_slider(name, min=kind(low), max=kind(high), step=step, initial_value=value, hint=hint)
    return gui.add_number(name, value, min=tunable.low, max=tunable.high, step=_number_step(tunable), hint=hint)


def suits_a_slider(tunable: Tunable) -> bool:
    """Whether the range is one that a slider can cover."""
    if tunable.low is None or tunable.high is None:
        return False
    span = tunable.high - tunable.low
    whole = isinstance(tunable.value, int)
    return 0.0 < span <= (MOST_WHOLE if whole else MOST_REAL * max(abs(tunable.low), 0.001))


def _number_step(tunable: Tunable) -> float:
    return 1 if isinstance(tunable.value, int) else 1e-4
