"""Checkpoints of a run by ``torch.distributed.checkpoint``: any number of ranks can resume what another one saved.

``checkpoints/step_00000100/`` holds weights, moments and ``progress.json``. A checkpoint is written under another name
and then renamed, and the one before is deleted only after that, so that there is always a whole one.
"""

from __future__ import annotations

import json
import os
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict

from vjepa_mpc.training.post_training.config import PostTrainingError
from vjepa_mpc.training.post_training.trainer import PostTrainer

_FOLDER = "checkpoints"
_PROGRESS = "progress.json"


class Checkpoints:
    """The checkpoints of a run's folder."""

    def __init__(self, out: Path) -> None:
        self._folder = out / _FOLDER

    def latest(self) -> Path | None:
        """The newest one."""
        return max(self._folder.glob("step_*"), default=None)

    def clear(self) -> None:
        """Forget all."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def save(self, trainer: PostTrainer, progress: Mapping[str, Any]) -> None:
        """Write one; all ranks must call.

        Raises:
            PostTrainingError: it could not be written. The one before is intact.
        """
        final, partial = self._folder / f"step_{trainer.step_number:08d}", self._folder / "partial"
        if final.is_dir():  # saved just now; every rank sees the same, since none renames before all have written
            return
        if trainer.parallel.first:
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
        trainer.parallel.wait()
        try:
            _write(partial, trainer)
            if trainer.parallel.first:
                self._publish(partial, final, progress)
        except (OSError, RuntimeError, CheckpointException) as error:
            shutil.rmtree(partial, ignore_errors=True)
            raise PostTrainingError(self._failure(trainer.step_number, error)) from error
        trainer.parallel.wait()

    def restore(self, trainer: PostTrainer, identity: Mapping[str, Any]) -> dict[str, Any] | None:
        """Set a trainer to the newest checkpoint; its progress, or None if there is none. All ranks must call.

        Args:
            identity: what must be as when the checkpoint was made (architecture, adapters, encoder).

        Raises:
            PostTrainingError: it is of another model; the message names what differs.
        """
        path = self.latest()
        if path is None:
            return None
        progress = json.loads((path / _PROGRESS).read_text(encoding="utf-8"))
        _check_identity(path, progress["identity"], identity)
        model, optimiser = get_state_dict(trainer.wrapped, trainer.optimiser)
        state: dict[str, Any] = {"model": model, "optimiser": optimiser}
        with _alone_or_together() as no_dist:
            dcp.load(state, checkpoint_id=path, no_dist=no_dist)
        set_state_dict(
            trainer.wrapped, trainer.optimiser, model_state_dict=state["model"], optim_state_dict=state["optimiser"]
        )
        trainer.step_number = int(progress["step"])
        return progress

    def _publish(self, partial: Path, final: Path, progress: Mapping[str, Any]) -> None:
        with (partial / _PROGRESS).open("w", encoding="utf-8") as file:
            json.dump(progress, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        before = list(self._folder.glob("step_*"))
        partial.replace(final)
        for path in before:
            shutil.rmtree(path)

    def _failure(self, step: int, error: BaseException) -> str:
        failures = getattr(error, "failures", {})
        reason = "; ".join(sorted({str(cause[0]) for cause in failures.values()})) or str(error)
        before = self.latest()
        kept = f"{before} is intact: make room and run the same command again" if before else "there is none before it"
        return f"the checkpoint of step {step} could not be written to {self._folder} ({reason}); {kept}"


def _write(folder: Path, trainer: PostTrainer) -> None:
    model, optimiser = get_state_dict(trainer.wrapped, trainer.optimiser)
    with _alone_or_together() as no_dist:
        dcp.save({"model": model, "optimiser": optimiser}, checkpoint_id=folder, no_dist=no_dist)


@contextmanager
def _alone_or_together() -> Iterator[bool]:
    """Whether torch.distributed is absent, without its warning that it is."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.distributed is")
        yield not dist.is_initialized()


def _check_identity(path: Path, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    differing = [name for name, value in wanted.items() if found.get(name) != value]
    if differing:
        details = "; ".join(f"{name} was {found.get(name)}, now {wanted[name]}" for name in differing)
        raise PostTrainingError(
            f"{path} is of another model ({details}): give the arguments that this run began with, "
            "another --out, or --fresh to begin again"
        )
