"""Rollout steps through ``torch.compile``, which fuses what lies between the matrix products; for GPUs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch._dynamo
from torch import Tensor
from torch._dynamo import exc

from vjepa_mpc.worldmodel.interface import Rollout
from vjepa_mpc.worldmodel.vjepa.rollout import LatentRollout

logger = logging.getLogger(__name__)

# Dynamo's own limit is 8 variants of a function, after which it runs the function plain without telling. Each step of
# the horizon is a variant, and so is each micro-batch.
_MOST_VARIANTS = 256
# Beyond the limit Dynamo raises what is none of its other exceptions, and what older versions do not have.
_COMPILE_ERRORS = (exc.TorchDynamoException, getattr(exc, "FailOnRecompileLimitHit", exc.TorchDynamoException))


class _Sizes(NamedTuple):
    """What a plan's steps are compiled for, under the names of the planner's settings."""

    candidates: int
    micro_batch: int
    rollout: int
    context_frames: int


class CompiledStep:
    """``LatentRollout.step``, compiled once for each shape; plain steps from the first failure on.

    Candidates are filled up to the micro-batch, so that incomplete ones, which a deadline makes in any number, are of
    the same shape; a single candidate has one of its own. A plan of other sizes than those before it compiles again,
    which takes up to some minutes and is logged with what has changed, as a warning when it is not the first time: plan
    once with the final settings before time matters.

    Args:
        backend: of ``torch.compile``.
    """

    def __init__(self, backend: str | Callable[..., Any] = "inductor") -> None:
        # The whole step or an error: what Dynamo cannot compile would otherwise run plain without a word.
        self._compiled = torch.compile(LatentRollout.step, dynamic=False, fullgraph=True, backend=backend)
        self._known: set[_Sizes] = set()
        self._latest: _Sizes | None = None
        self._failed = False

    def wrap(self, rollout: LatentRollout) -> Rollout:
        """The rollout with compiled steps, if they can be compiled."""
        return rollout if self._failed else CompiledRollout(rollout, self)

    def __call__(self, rollout: LatentRollout, actions: Tensor) -> Tensor:
        """See :meth:`LatentRollout.step`."""
        if self._failed or actions.requires_grad:  # few candidates are differentiated: not worth compiling for
            return rollout.step(actions)
        self._announce(_sizes(rollout, actions))
        try:
            # Under the name that versions before 2.6 know, too.
            with torch._dynamo.config.patch(cache_size_limit=_MOST_VARIANTS):
                return self._compiled(rollout, actions)
        except _COMPILE_ERRORS as error:  # raised before the step has changed anything
            logger.warning("torch.compile failed (%s): planning goes on uncompiled", _cause(error))
            self._failed = True
            return rollout.step(actions)

    def _announce(self, sizes: _Sizes) -> None:
        """Say what is going to be compiled, once for all steps of a horizon."""
        before, self._latest = self._latest, sizes
        if sizes in self._known:
            return
        self._known.add(sizes)
        if before is None:
            found = ", ".join(f"{name}={value}" for name, value in sizes._asdict().items())
            logger.info("compiling rollout steps for %s: planning waits for it, which can take minutes", found)
            return
        named = zip(sizes._fields, sizes, before, strict=True)
        changed = ", ".join(f"{name}={new} instead of {old}" for name, new, old in named if new != old)
        logger.warning("compiling rollout steps again for %s: planning waits for it, which can take minutes", changed)


class CompiledRollout:
    """A :class:`~vjepa_mpc.worldmodel.interface.Rollout` whose steps are compiled."""

    def __init__(self, rollout: LatentRollout, step: CompiledStep) -> None:
        self._rollout, self._step = rollout, step

    def step(self, actions: Tensor) -> Tensor:
        """See :meth:`LatentRollout.step`."""
        room, candidates = self._rollout.shape[0], len(actions)
        if 1 < candidates < room and not actions.requires_grad:
            actions = torch.cat([actions, actions[-1:].expand(room - candidates, -1)])
        return self._step(self._rollout, actions)[:candidates]

    def reset(self) -> None:
        """See :meth:`LatentRollout.reset`."""
        self._rollout.reset()


def _sizes(rollout: LatentRollout, actions: Tensor) -> _Sizes:
    room, horizon, observed, _ = rollout.shape
    return _Sizes(candidates=len(actions), micro_batch=room, rollout=horizon, context_frames=observed + 1)


def _cause(error: Exception) -> str:
    """The first line of what a backend's failure goes back to."""
    cause = getattr(error, "inner_exception", error)
    return next(iter(str(cause).splitlines()), type(cause).__name__)
