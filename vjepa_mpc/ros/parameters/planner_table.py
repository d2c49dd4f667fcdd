"""The planner's options as parameters, with a preset's values as defaults."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, get_args

from vjepa_mpc.options import Option, Parameter, Plain
from vjepa_mpc.planning import PRESETS, CEMConfig
from vjepa_mpc.planning.config import Execute, Sampling, Update

_AXES = {"x": 0, "y": 1, "z": 2, "gripper": 3}
_PIN = re.compile(r"\s*(x|y|z|gripper)\s*=\s*([-+0-9.eE]+)\s*")
# Fields for which a parameter's 0 means none, and those that are put otherwise or are no parameters.
_ZERO_IS_NONE = ("deadline", "micro_batch", "memory_limit_mb")
_DIFFERENT = (*_ZERO_IS_NONE, "axis", "close_gripper", "verbose")


@dataclass(frozen=True)
class PlannerSource:
    """The planner's options; the preset that a parameter names decides the defaults."""

    default_preset: str

    def parameters(self, values: Mapping[str, Any]) -> Iterable[Parameter]:
        """Without prefix; all are live."""
        return planner_parameters(PRESETS.get(str(values.get("preset")), PRESETS[self.default_preset]))

    def build(self, values: Mapping[str, Any]) -> CEMConfig:
        """The planner's settings."""
        return planner_config(values)


def planner_parameters(preset: CEMConfig) -> tuple[Parameter, ...]:
    """The planner's options with a preset's values as defaults."""

    def entry(
        name: str,
        default: Plain,
        text: str,
        low: float | None = None,
        high: float | None = None,
        choices: tuple[str, ...] = (),
    ) -> Parameter:
        return Parameter(name, default, Option(text=text, low=low, high=high, choices=choices, live=True))

    return (
        entry("rollout", preset.rollout, "Steps planned ahead (horizon).", 1, 64),
        entry("samples", preset.samples, "Candidate action sequences an iteration.", 2, 100_000),
        entry("topk", preset.topk, "Elites that the next distribution is fitted to.", 2, 100_000),
        entry("cem_steps", preset.cem_steps, "Iterations of the planner.", 1, 1000),
        entry("momentum_mean", preset.momentum_mean, "Share of the old mean that is kept, xyz.", 0.0, 1.0),
        entry("momentum_std", preset.momentum_std, "Share of the old spread that is kept, xyz.", 0.0, 1.0),
        entry("momentum_mean_gripper", preset.momentum_mean_gripper, "The same for the gripper's mean.", 0.0, 1.0),
        entry("momentum_std_gripper", preset.momentum_std_gripper, "The same for the gripper's spread.", 0.0, 1.0),
        entry("maxnorm", preset.maxnorm, "Most metres along each axis in one step.", 0.001, 0.5),
        entry("axis", "", "Coordinates pinned to a value, e.g. 'z=0.0, gripper=-1.0'; empty: none."),
        entry("close_gripper", -1, "Plan step from which on the gripper closes; -1: free.", -1, 64),
        entry("gripper_clip", preset.gripper_clip, "Most that a candidate changes the gripper in a step.", 0.01, 1.0),
        entry("gripper_dead_band", preset.gripper_dead_band, "Smaller gripper actions become 0.", 0.0, 1.0),
        entry("warm_start", preset.warm_start, "Begin at the previous plan, moved on by one step."),
        entry("warm_start_std", preset.warm_start_std, "First spread of a warm start, as a share.", 0.001, 10.0),
        entry("sampling", preset.sampling, "How candidates are drawn.", choices=get_args(Sampling)),
        entry("noise_colour", preset.noise_colour, "0 white, 1 pink, 2 red: smoothness over the horizon.", 0.0, 10.0),
        entry("update", preset.update, "Fit to the elites, or to all by weight.", choices=get_args(Update)),
        entry("temperature", preset.temperature, "Of mppi, in standard deviations of the energies.", 0.001, 100.0),
        entry("keep_elites", preset.keep_elites, "Share of the elites that stays for the next iteration.", 0.0, 1.0),
        entry("sample_decay", preset.sample_decay, "The samples are divided by this an iteration.", 1.0, 100.0),
        entry("mean_candidate", preset.mean_candidate, "The mean itself is a candidate."),
        entry("std_floor", preset.std_floor, "Least spread, as a share of the first.", 0.0, 1.0),
        entry(
            "execute", preset.execute, "What is carried out: the last mean or the best seen.", choices=get_args(Execute)
        ),
        entry("stop_spread", preset.stop_spread, "Stop below this share of the first spread; 0: never.", 0.0, 1.0),
        entry("deadline", preset.deadline or 0.0, "Seconds that a plan may take; 0: no limit.", 0.0, 3600.0),
        entry("micro_batch", preset.micro_batch or 0, "Candidates predicted at once; 0: as memory admits.", 0, 100_000),
        entry(
            "memory_limit_mb", preset.memory_limit_mb or 0.0, "Memory for a micro-batch, in MB; 0: automatic.", 0.0, 1e6
        ),
        entry("cuda_graphs", preset.cuda_graphs, "On a GPU: record an iteration once, and replay it."),
    )


def planner_config(values: Mapping[str, Any]) -> CEMConfig:
    """The planner's part of the parameters.

    Raises:
        ValueError: e.g. ``topk=20 > samples=16``.
    """
    names = [field.name for field in fields(CEMConfig) if field.name in values and field.name not in _DIFFERENT]
    settings: dict[str, Any] = {name: values[name] for name in names}
    settings |= {name: values[name] or None for name in _ZERO_IS_NONE}
    close_gripper = None if values["close_gripper"] < 0 else values["close_gripper"]
    return CEMConfig(**settings, axis=_pins(values["axis"]), close_gripper=close_gripper)


def _pins(text: str) -> dict[int, float]:
    pins = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        match = _PIN.fullmatch(part)
        if match is None:
            raise ValueError(f"axis={text!r}: '{part}' is not like z=0.0; names are {', '.join(_AXES)}")
        try:
            pins[_AXES[match[1]]] = float(match[2])
        except ValueError:
            raise ValueError(f"axis={text!r}: {match[2]} is not a number") from None
    return pins
