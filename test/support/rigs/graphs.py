"""What stands in for CUDA graphs on a machine without a GPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from vjepa_mpc.planning.compute.graphs import Tensors


class Recorder:
    """Replays by calling the function again and writing to the same places, as a graph does."""

    def __init__(self) -> None:
        self.recordings = self.replays = 0

    def __call__(self, function: Callable[[], Tensors]) -> tuple[Callable[[], None], Tensors]:
        self.recordings += 1
        results = tuple(torch.full_like(result, torch.nan) for result in function())

        def replay() -> None:
            self.replays += 1
            for place, value in zip(results, function(), strict=True):
                place.copy_(value)

        return replay, results


class Crossings(TorchDispatchMode):
    """Counts operations that on a GPU would wait for it or copy from the CPU's memory."""

    NAMES = ("_local_scalar_dense", "is_nonzero", "nonzero", "equal", "lift_fresh", "masked_select")

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += function.overloadpacket.__name__ in self.NAMES
        return function(*args, **(kwargs or {}))
