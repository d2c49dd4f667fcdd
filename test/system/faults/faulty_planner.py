"""The planner node with a world model that fails when told to. Run as ``python -m system.faults.faulty_planner``.

What to do is read from the file that the environment's FAULT_FILE names, at every prediction: nothing, ``raise``,
``nan``, or ``slow SECONDS``. When it is done, and when a plan is begun, is printed by the system's clock.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from torch import Tensor

from vjepa_mpc.controller import assembly
from vjepa_mpc.ros.planner import node as planner_node

FAULT_FILE = "FAULT_FILE"
PRINTED = "faulty model at"


class FaultyWorldModel:
    """A world model whose predictions fail when the file says so; encoding does not."""

    def __init__(self, healthy: Any, file: Path) -> None:
        self._healthy, self._file = healthy, file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._healthy, name)

    def start_rollout(self, *args: Any, **kwargs: Any) -> FaultyRollout:
        tell("plan")
        return FaultyRollout(self._healthy.start_rollout(*args, **kwargs), self._file)


class FaultyRollout:
    """Predictions that are asked for one by one."""

    def __init__(self, healthy: Any, file: Path) -> None:
        self._healthy, self._file = healthy, file
        self._slept = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._healthy, name)

    def step(self, actions: Tensor) -> Tensor:
        latents = self._healthy.step(actions)
        what, *values = self._file.read_text().split() or [""]
        if what == "slow" and not self._slept:
            self._slept = True
            time.sleep(float(values[0]))
        if what:
            tell(what)
        if what == "raise":
            raise RuntimeError("told to fail")
        return latents * float("nan") if what == "nan" else latents


def tell(what: str) -> None:
    print(f"{PRINTED} {time.time():.6f}: {what}", flush=True)


def main() -> int:
    file = Path(os.environ[FAULT_FILE])
    load = assembly.load_world_model
    assembly.load_world_model = lambda *args, **kwargs: FaultyWorldModel(load(*args, **kwargs), file)
    return planner_node.main()


if __name__ == "__main__":
    sys.exit(main())
