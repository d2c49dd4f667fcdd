"""The planner's options as the node's parameters, with a preset's values as defaults."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from vjepa_mpc.options import Parameter
from vjepa_mpc.planning import PRESETS, CEMConfig, planner_config, planner_parameters


@dataclass(frozen=True)
class PlannerSource:
    """Options of the planner and of its parts; the preset that a parameter names decides the defaults."""

    default_preset: str

    def parameters(self, values: Mapping[str, Any]) -> Iterable[Parameter]:
        """Without prefix; those of parts from outside too, if ``values`` choose some."""
        return planner_parameters(PRESETS.get(str(values.get("preset")), PRESETS[self.default_preset]), values)

    def build(self, values: Mapping[str, Any]) -> CEMConfig:
        """The planner's settings."""
        return planner_config(values)
