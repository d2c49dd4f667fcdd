"""Rollout steps through ``torch.compile``, which fuses what lies between the matrix products; for GPUs."""

from __future__ import annotations

import logging

import torch
from torch import Tensor
from torch._dynamo.exc import TorchDynamoException

from vjepa_mpc.worldmodel.rollout import LatentRollout

logger = logging.getLogger(__name__)


class CompiledStep:
    """``LatentRollout.step``, compiled once for each shape; plain steps from the first failure on.

    A plan with other numbers of candidates or steps than before compiles again, which takes up to some minutes and is
    logged: plan once with the final settings before time matters.
    """

    def __init__(self) -> None:
        self._compiled = torch.compile(LatentRollout.step, dynamic=False)
        self._shapes: set[tuple[int, ...]] = set()
        self._failed = False

    def wrap(self, rollout: LatentRollout) -> CompiledRollout:
        """The rollout with compiled steps."""
        return CompiledRollout(rollout, self)

    def __call__(self, rollout: LatentRollout, actions: Tensor) -> Tensor:
        """See :meth:`LatentRollout.step`."""
        if self._failed:
            return rollout.step(actions)
        shape = (len(actions), *rollout.shape)
        if shape not in self._shapes:
            self._shapes.add(shape)
            logger.info("compiling a rollout step for %d candidates: this can take minutes", len(actions))
        try:
            return self._compiled(rollout, actions)
        except TorchDynamoException as error:  # raised before the step has changed anything
            logger.warning("torch.compile failed (%s): planning goes on uncompiled", str(error).splitlines()[0])
            self._failed = True
            return rollout.step(actions)


class CompiledRollout:
    """A :class:`~vjepa_mpc.worldmodel.rollout.Rollout` whose steps are compiled."""

    def __init__(self, rollout: LatentRollout, step: CompiledStep) -> None:
        self._rollout, self._step = rollout, step

    def step(self, actions: Tensor) -> Tensor:
        """See :meth:`LatentRollout.step`."""
        return self._step(self._rollout, actions)

    def reset(self) -> None:
        """See :meth:`LatentRollout.reset`."""
        self._rollout.reset()
