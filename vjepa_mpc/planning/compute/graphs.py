"""An iteration of the search recorded once as a CUDA graph and replayed: one launch in place of thousands."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

logger = logging.getLogger(__name__)

Tensors = tuple[Tensor, ...]
Capture = Callable[[Callable[[], Tensors]], tuple[Callable[[], None], Tensors]]
"""Records a function of tensors at fixed places; gives what replays it, and where its results are then."""

_WARM_UP_RUNS = 2  # so that libraries have chosen kernels and made their workspaces before the recording


def capture_cuda_graph(function: Callable[[], Tensors], device: torch.device) -> tuple[Callable[[], None], Tensors]:
    """A :data:`Capture` on a CUDA device.

    Raises:
        RuntimeError: the function does something that cannot be recorded, such as waiting for the device.
    """
    with torch.cuda.device(device):  # only streams of the current device are recorded
        before = torch.cuda.current_stream()
        stream = torch.cuda.Stream()
        stream.wait_stream(before)
        try:
            with torch.cuda.stream(stream):
                for _ in range(_WARM_UP_RUNS):
                    function()
            before.wait_stream(stream)
            graph = torch.cuda.CUDAGraph()
            # Other threads may use the device meanwhile; only what this one does must be recordable.
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                results = function()
        finally:
            torch.cuda.set_stream(before)  # a recording that fails leaves its own stream behind
    return graph.replay, results


class _Recording:
    """A function of tensors whose shapes stay the same: inputs are copied to where it was recorded to read them.

    Raises:
        RuntimeError: it cannot be recorded, or its replay does not find what the function does.
    """

    def __init__(self, function: Callable[..., Tensors], inputs: Tensors, capture: Capture) -> None:
        self._inputs = tuple(value.clone() for value in inputs)
        expected = function(*self._inputs)
        self._replay, self._results = capture(lambda: function(*self._inputs))
        self._check(expected, inputs)

    def _check(self, expected: Tensors, inputs: Tensors) -> None:
        """A recording that has missed something would go on returning its first results, whatever the inputs."""
        for result in self._results:
            result.fill_(torch.nan)
        for found, wanted in zip(self(inputs), expected, strict=True):
            if not torch.allclose(found, wanted, rtol=1e-3, atol=1e-4, equal_nan=True):
                raise RuntimeError("the replayed iteration does not find what the recorded one found")

    def __call__(self, inputs: Tensors) -> Tensors:
        for place, value in zip(self._inputs, inputs, strict=True):
            place.copy_(value)
        self._replay()
        return tuple(result.clone() for result in self._results)  # the next replay writes over them


class GraphedIteration:
    """Replays of one recording, made again when shapes change; none any more after the first failure to record."""

    def __init__(self, capture: Capture) -> None:
        self._capture = capture
        self._recording: _Recording | None = None
        self._made_for: Any = None
        self._failed = False

    def run(self, iterate: Callable[..., Tensors], inputs: Tensors, fixed: Any) -> Tensors | None:
        """``iterate(*inputs)``; None when it cannot be recorded, be it for lack of memory.

        Args:
            iterate: depends on nothing but its inputs and on what is ``fixed``.
            inputs: of any shapes; other ones than before are recorded anew.
            fixed: whatever else the recording depends on.
        """
        if self._failed:
            return None
        key = (fixed, tuple((value.shape, value.dtype) for value in inputs))
        if self._recording is None or key != self._made_for:
            logger.info("recording an iteration of the planner as a CUDA graph")
            self._recording = None  # before the next one needs memory
            try:
                self._recording, self._made_for = _Recording(iterate, inputs, self._capture), key
            except RuntimeError as error:
                logger.warning("no CUDA graph (%s): planning goes on without", str(error).splitlines()[0])
                self._failed, self._recording = True, None
                return None
        return self._recording(inputs)
