"""The loop of a run: step, look at held-out clips, keep the best, save, and go on after any interruption."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vjepa_mpc.training.post_training.checkpoints import Checkpoints
from vjepa_mpc.training.post_training.held_out import held_out_errors
from vjepa_mpc.training.post_training.latents.clips import Batch, ClipOrder, Clips
from vjepa_mpc.training.post_training.model_files import save_best
from vjepa_mpc.training.post_training.progress import Reporter, RunLog, duration
from vjepa_mpc.training.post_training.recipe import Recipe
from vjepa_mpc.training.post_training.trainer import PostTrainer
from vjepa_mpc.training.recipe_file import changed_settings
from vjepa_mpc.training.stopping import StopRequest

FINISHED, STOPPED_EARLY, INTERRUPTED = "finished", "stopped early", "interrupted"


@dataclass
class Progress:
    """What a checkpoint remembers beside weights and moments.

    Attributes:
        seconds: spent in training, of all parts of the run.
        best: the lowest held-out rollout error and the other figures of that look; empty before the first look.
        best_step: when that was.
        looks_since_best: for stopping early.
    """

    seconds: float = 0.0
    best: dict[str, float] = field(default_factory=dict)
    best_step: int = 0
    looks_since_best: int = 0

    def look(self, step: int, found: Mapping[str, float]) -> bool:
        """Note held-out figures; whether they are the best so far."""
        if self.best and found["rollout"] >= self.best["rollout"]:
            self.looks_since_best += 1
            return False
        self.best, self.best_step, self.looks_since_best = dict(found), step, 0
        return True


class Run:
    """A run in its folder.

    Args:
        trainer: at step 0; :meth:`resume` sets it to the folder's checkpoint.
        training, held_out: clips of different episodes.
        identity: what a checkpoint must agree with (see :meth:`Checkpoints.restore`).
        clock: of the time spent, in seconds.
    """

    def __init__(
        self,
        trainer: PostTrainer,
        recipe: Recipe,
        training: Clips,
        held_out: Clips,
        out: Path,
        identity: Mapping[str, Any],
        report: Reporter,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.trainer, self.recipe, self.out, self.report = trainer, recipe, out, report
        self.progress = Progress()
        self._identity, self._clock = identity, clock
        self._checkpoints = Checkpoints(out)
        self._training, self._held_out = training, held_out
        self._order = ClipOrder(training, recipe.sampling, recipe.seed, recipe.batch_size)
        self._looks = held_out.spread(recipe.held_out_clips)
        trainer.parallel.share(range(recipe.batch_size))  # refuse a batch that does not divide before the first step

    @property
    def steps(self) -> int:
        """Of the whole run."""
        return self.recipe.post_training.steps

    def resume(self) -> None:
        """Go on from the newest checkpoint, if there is one."""
        found = self._checkpoints.restore(self.trainer, self._identity)
        if found is None:
            return
        self.progress = Progress(**found["run"])
        self.report.say(f"resuming after step {self.trainer.step_number} of {self.steps}")
        changed = list(changed_settings(found["recipe"], self.recipe.to_dict()))
        if changed:
            self.report.say(f"settings that the run did not begin with: {', '.join(changed)}")

    def go(self, stop: StopRequest) -> str:
        """Train to the end, to the stop request, or until held-out clips are no longer learned; which of them."""
        log = RunLog(self.out, self.trainer.step_number, self.report, self.trainer.parallel.first)
        try:
            return self._go(stop, log)
        finally:
            log.close()

    def _go(self, stop: StopRequest, log: RunLog) -> str:
        parallel, first = self.trainer.parallel, self.trainer.step_number
        seconds_before, start = self.progress.seconds, self._clock()
        if first == 0:  # what the run starts from may be the best there is
            log.write(0, {}, self._look(0))
        with ThreadPoolExecutor(1) as reader:
            batch = reader.submit(self._load, first)
            while self.trainer.step_number < self.steps and not self._learned_out():
                ready, batch = batch.result(), reader.submit(self._load, self.trainer.step_number + 1)
                figures = self.trainer.step(*ready)
                step = self.trainer.step_number
                self.progress.seconds = seconds_before + self._clock() - start
                log.write(step, figures, self._look(step) if self._is_time_to_look(step) else None)
                self._show(step, figures["loss"], (self._clock() - start) / (step - first))
                stopping = parallel.any(stop.requested)
                if stopping or step % self.recipe.save_every == 0 or step == self.steps or self._learned_out():
                    self._save()
                if stopping:
                    return INTERRUPTED
        return STOPPED_EARLY if self.trainer.step_number < self.steps else FINISHED

    def _load(self, step: int) -> Batch:
        return self._training.load(self.trainer.parallel.share(self._order.step(step)))

    def _is_time_to_look(self, step: int) -> bool:
        return step % self.recipe.evaluate_every == 0 or step == self.steps

    def _learned_out(self) -> bool:
        return bool(self.recipe.patience) and self.progress.looks_since_best >= self.recipe.patience

    def _look(self, step: int) -> dict[str, float]:
        found = held_out_errors(self.trainer, self._held_out, self._looks)
        best = self.progress.look(step, found)
        if best:
            state = self.trainer.predictor_state()  # all ranks gather it
            if self.trainer.parallel.first:
                save_best(self.out, state)
        errors = ", ".join(f"{name} {error:.4f}" for name, error in found.items())
        self.report.say(f"step {step}: held-out {errors}{' (best)' if best else ''}")
        return found

    def _show(self, step: int, loss: float, pace: float) -> None:
        left = duration((self.steps - step) * pace)
        self.report.show(f"step {step}/{self.steps}  loss {loss:.4f}  {pace:.2f} s a step  {left} left")

    def _save(self) -> None:
        self._checkpoints.save(
            self.trainer,
            {
                "step": self.trainer.step_number,
                "identity": self._identity,
                "recipe": self.recipe.to_dict(),
                "run": vars(self.progress),
            },
        )
