"""The whole measurement: record what is missing, fit, watch, write the tables. An interrupted one goes on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vjepa_mpc.evaluation.monitoring import outcome as outcomes
from vjepa_mpc.evaluation.monitoring.baselines import Baseline, baselines
from vjepa_mpc.evaluation.monitoring.deviations import KINDS
from vjepa_mpc.evaluation.monitoring.outcome import Outcome
from vjepa_mpc.evaluation.monitoring.report import as_markdown, requirements, summary
from vjepa_mpc.evaluation.monitoring.store import RunStore
from vjepa_mpc.files import write_text
from vjepa_mpc.monitor.fit import FitSettings, Fitted, fit
from vjepa_mpc.monitor.sight import Eye, Sights, fingerprint
from vjepa_mpc.monitor.watch import Watcher
from vjepa_mpc.worldmodel import WorldModel

FIT_SEED, EVALUATED_SEED = 10_000, 30_000
_TIMED = 100  # pictures


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much to measure.

    Attributes:
        fit_runs: normal runs to learn from, thresholds included.
        normal: normal runs to watch.
        each: runs to watch of each kind of deviation.
        rate: accepted false alarms per run.
    """

    fit_runs: int = 40
    normal: int = 60
    each: int = 30
    rate: float = 0.05


class Evaluation:
    """Runs from a store, seen by an encoder.

    Args:
        model: the encoder.
        folder: of recorded runs.
        show: is told what is going on.
    """

    def __init__(self, model: WorldModel, folder: Path, show: Callable[[str], None]) -> None:
        self._eye, self._encoder, self._show = Eye(model), fingerprint(model, "square"), show
        self._store = RunStore(folder)

    def measure(self, plan: Plan) -> dict[str, Any]:
        """All figures, ready for JSON."""
        watched = [("normal", EVALUATED_SEED + number) for number in range(plan.normal)]
        watched += [(kind, EVALUATED_SEED + number) for kind in KINDS for number in range(plan.each)]
        learned = [("normal", FIT_SEED + number) for number in range(plan.fit_runs)]
        self._record([*learned, *watched])
        runs = [self._seen(kind, seed)[0] for kind, seed in learned]
        names = [f"run {seed}" for _, seed in learned]
        with_states, camera_only = (
            fit(runs, names, self._encoder, FitSettings(rate=plan.rate, states=states), self._show)
            for states in (True, False)
        )
        found: dict[str, list[Outcome]] = {"states": [], "camera": []}
        sights: dict[str, list[Sights]] = {}
        for number, (kind, seed) in enumerate(watched):
            self._show(f"watching {number + 1}/{len(watched)}")
            run, onset, step_seconds = self._seen(kind, seed)
            sights.setdefault(kind, []).append(_smaller(run))
            for name, fitted in (("states", with_states), ("camera", camera_only)):
                found[name].append(outcomes.watch(fitted, run, kind, seed, onset, step_seconds))
        self._show("baselines")
        normal = sights.pop("normal")
        simple = baselines([_smaller(run) for run in runs], normal, sights, plan.rate)
        return {
            "plan": asdict(plan),
            "monitor": summary(found["states"]),
            "camera_only": summary(found["camera"]),
            "baselines": [asdict(each) for each in simple],
            "milliseconds": self._milliseconds(with_states),
            "runs": [asdict(each) for each in found["states"]],
        }

    def close(self) -> None:
        """Free the simulator."""
        self._store.close()

    def _record(self, wanted: list[tuple[str, int]]) -> None:
        missing = self._store.missing(wanted)
        for number, (kind, seed) in enumerate(missing):
            self._show(f"recording {number + 1}/{len(missing)}")
            self._store.get(kind, seed)

    def _seen(self, kind: str, seed: int) -> tuple[Sights, float, float]:
        run = self._store.get(kind, seed)
        self._eye.forget()
        return self._eye.look(run.images, run.stamps, run.states), run.onset, run.step_seconds

    def _milliseconds(self, fitted: Fitted) -> float:
        """Mean time of one live picture, encoder included."""
        run, watcher = self._store.get("normal", EVALUATED_SEED), Watcher(fitted, self._encoder)
        count = min(_TIMED, len(run.images))
        self._eye.forget()
        start = time.perf_counter()
        for index in range(count):
            one = slice(index, index + 1)
            watcher.see(self._eye.look(run.images[one], run.stamps[one], run.states[one]))
        return 1e3 * (time.perf_counter() - start) / count


def _smaller(run: Sights) -> Sights:
    """The run with half the precision of its latents: all of them stay in memory."""
    return Sights(
        stamps=run.stamps,
        latents=run.latents.astype(np.float16),
        small=run.small.astype(np.float16),
        sharpness=run.sharpness,
        change=run.change,
        states=run.states,
    )


def write(found: dict[str, Any], out: Path, about: str) -> str:
    """Write ``monitor.json`` and ``monitor.md``; returns the latter."""
    simple = [Baseline(**each) for each in found["baselines"]]
    text = as_markdown(found["monitor"], found["camera_only"], simple, found["milliseconds"], about)
    rows = requirements(found["monitor"], found["milliseconds"])
    required = [dict(zip(("what", "required", "measured", "met"), row, strict=True)) for row in rows]
    write_text(out / "monitor.json", json.dumps({**found, "required": required}, indent=1))
    write_text(out / "monitor.md", text)
    return text
