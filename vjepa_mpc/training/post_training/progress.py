"""What a run tells: a live line with the time that is left, a log, TensorBoard events and a plot."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vjepa_mpc.extras import install_hint
from vjepa_mpc.training.step_log import cut_log

LOG_FILE = "log.jsonl"
PLOT_FILE = "losses.png"
EVENTS_FOLDER = "tensorboard"


class Reporter:
    """Lines on the terminal; quiet on all ranks but the first."""

    def __init__(self, quiet: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self._quiet, self._clock = quiet, clock
        self._live = sys.stdout.isatty()
        self._shown_at = -float("inf")

    def say(self, text: str) -> None:
        """A line that stays."""
        if not self._quiet:
            print(f"\r\033[K{text}" if self._live else text, flush=True)

    def show(self, text: str) -> None:
        """A line that the next one replaces; into a file, one every ten seconds."""
        if self._quiet:
            return
        if self._live:
            print(f"\r\033[K{text}", end="", flush=True)
        elif self._clock() - self._shown_at >= 10.0:
            self._shown_at = self._clock()
            print(text, flush=True)

    def counter(self, what: str, total: int, unit: str) -> Callable[[int], None]:
        """A function that is told of every few more that are done, and shows how long the rest will take."""
        start, done = self._clock(), 0

        def advance(more: int) -> None:
            nonlocal done
            done += more
            left = (self._clock() - start) / done * (total - done)
            self.show(f"{what}: {done}/{total} {unit}, {duration(left)} left")

        return advance


class RunLog:
    """A JSON line a step, and the same figures as TensorBoard events where its package is installed.

    Args:
        folder: of the run.
        step: that the run goes on from; later records are of a future that did not happen.
        enabled: only the first rank writes.
    """

    def __init__(self, folder: Path, step: int, report: Reporter, enabled: bool = True) -> None:
        self._path, self._enabled = folder / LOG_FILE, enabled
        if not enabled:
            return
        cut_log(self._path, step)
        self._file = self._path.open("a", encoding="utf-8")
        self._events = self._open_events(folder / EVENTS_FOLDER, step, report)

    def write(self, step: int, figures: Mapping[str, float], held_out: Mapping[str, float] | None = None) -> None:
        """Add a step."""
        if not self._enabled:
            return
        record: dict[str, Any] = {"step": step, **figures, **({"held_out": dict(held_out)} if held_out else {})}
        print(json.dumps(record), file=self._file, flush=True)
        if self._events is not None:
            for name, value in figures.items():
                self._events.add_scalar(f"train/{name}", value, step)
            for name, value in (held_out or {}).items():
                self._events.add_scalar(f"held_out/{name}", value, step)

    def close(self) -> None:
        """Write what is buffered, and the plot."""
        if not self._enabled:
            return
        self._file.close()
        if self._events is not None:
            self._events.close()
        with contextlib.suppress(ImportError):  # matplotlib is optional; the log has all figures
            plot(self._path, self._path.with_name(PLOT_FILE))

    @staticmethod
    def _open_events(folder: Path, step: int, report: Reporter) -> Any:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            report.say(f"no TensorBoard events: {install_hint('post-train')} to have them")
            return None
        return SummaryWriter(str(folder), purge_step=step + 1)


def plot(log: Path, picture: Path) -> None:
    """Draw losses and held-out errors of a log.

    Raises:
        ImportError: matplotlib is not installed.
    """
    from matplotlib.figure import Figure  # without pyplot: no window system, no global state

    records = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    if not records:
        return
    looks = [record for record in records if "held_out" in record]
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    taken = [record for record in records if record["step"]]
    steps = [record["step"] for record in taken]
    for name, label in (("jloss", "training, one step from the truth"), ("sloss", "training, rollout")):
        axes.plot(steps, [record[name] for record in taken], linewidth=1, alpha=0.6, label=label)
    for name, label in (("rollout", "held out, rollout"), ("copy", "held out, copying the frame")):
        points = [record["held_out"][name] for record in looks]
        axes.plot([record["step"] for record in looks], points, marker="o", markersize=3, label=label)
    axes.set_xlabel("step")
    axes.set_ylabel("mean error of a latent's feature")
    axes.legend()
    figure.savefig(picture, dpi=120)


def duration(seconds: float) -> str:
    """Seconds in words short enough for a line."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
