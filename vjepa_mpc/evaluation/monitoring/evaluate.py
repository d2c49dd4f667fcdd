"""The whole measurement: record what is missing, fit, watch, write the tables. An interrupted one goes on."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vjepa_mpc.evaluation.monitoring import outcome as outcomes
from vjepa_mpc.evaluation.monitoring.baselines import Baseline, fit_baselines
from vjepa_mpc.evaluation.monitoring.deviations import KINDS
from vjepa_mpc.evaluation.monitoring.outcome import Outcome
from vjepa_mpc.evaluation.monitoring.report import as_markdown, of_baseline, requirements, summary
from vjepa_mpc.evaluation.monitoring.store import RunStore
from vjepa_mpc.files import write_text
from vjepa_mpc.monitor import file
from vjepa_mpc.monitor.fit import FitSettings, Fitted, fit
from vjepa_mpc.monitor.sight import Eye, Sights, fingerprint
from vjepa_mpc.monitor.watch import Watcher
from vjepa_mpc.worldmodel import WorldModel

FIT_SEED, EVALUATED_SEED = 10_000, 30_000
_TIMED = 100  # pictures
_MONITORS = {"states": True, "camera": False}


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
    """Runs from a store, seen by an encoder; what was recorded, fitted and watched before is kept in a folder.

    Args:
        model: the encoder.
        folder: of runs, monitors and outcomes.
        plan: how much to measure.
        show: is told what is going on.
    """

    def __init__(self, model: WorldModel, folder: Path, plan: Plan, show: Callable[[str], None]) -> None:
        self._eye, self._encoder, self._show = Eye(model), fingerprint(model, "square"), show
        self._store, self._plan = RunStore(folder / "runs"), plan
        key = f"{_sources()} {self._store.folder.name} {self._encoder} {plan.fit_runs} {plan.rate}"
        self._kept = folder / f"watched_{hashlib.sha256(key.encode()).hexdigest()[:8]}"

    def measure(self) -> dict[str, Any]:
        """All figures, ready for JSON."""
        plan = self._plan
        watched = [("normal", EVALUATED_SEED + number) for number in range(plan.normal)]
        watched += [(kind, EVALUATED_SEED + number) for number in range(plan.each) for kind in KINDS]
        learned = [("normal", FIT_SEED + number) for number in range(plan.fit_runs)]
        self._record([*learned, *watched])
        runs = [self._seen(kind, seed)[0] for kind, seed in learned]
        monitors = {name: self._fitted(name, runs) for name in _MONITORS}
        simple = fit_baselines(runs, plan.rate)
        rows = []
        for number, (kind, seed) in enumerate(watched):
            self._show(f"watching {number + 1}/{len(watched)}")
            rows.append(self._watched(kind, seed, monitors, simple))
        found = {name: [Outcome(**row[name]) for row in rows] for name in _MONITORS}
        return {
            "plan": asdict(plan),
            "monitor": summary(found["states"]),
            "camera_only": summary(found["camera"]),
            "baselines": {
                each.name: of_baseline(each.limit, [(row["states"]["kind"], row["scores"][each.name]) for row in rows])
                for each in simple
            },
            "milliseconds": self._milliseconds(monitors["states"]),
            "runs": rows,
        }

    def close(self) -> None:
        """Free the simulator."""
        self._store.close()

    def _record(self, wanted: list[tuple[str, int]]) -> None:
        missing = self._store.missing(wanted)
        for number, (kind, seed) in enumerate(missing):
            self._show(f"recording {number + 1}/{len(missing)}")
            self._store.get(kind, seed)

    def _fitted(self, name: str, runs: list[Sights]) -> Fitted:
        path = self._kept / f"{name}.npz"
        if not path.is_file():
            settings = FitSettings(rate=self._plan.rate, states=_MONITORS[name])
            made = fit(runs, [f"run {number}" for number in range(len(runs))], self._encoder, settings, self._show)
            path.parent.mkdir(parents=True, exist_ok=True)
            file.save(made, path)
        return file.load(path)

    def _watched(self, kind: str, seed: int, monitors: Mapping[str, Fitted], simple: list[Baseline]) -> dict[str, Any]:
        path = self._kept / f"{kind.replace(' ', '_')}_{seed}.json"
        if not path.is_file():
            run, onset, step_seconds = self._seen(kind, seed)
            found: dict[str, Any] = {
                name: asdict(outcomes.watch(fitted, run, kind, seed, onset, step_seconds))
                for name, fitted in monitors.items()
            }
            found["scores"] = {each.name: each.score(run) for each in simple}
            write_text(path, json.dumps(found))
        row: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return row

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


def _sources() -> str:
    """Changes with the code of the monitor and of the baselines."""
    own = Path(__file__).resolve().parent
    files = [*sorted((own.parents[1] / "monitor").glob("*.py")), own / "baselines.py", own / "outcome.py"]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def write(found: dict[str, Any], out: Path, about: str) -> str:
    """Write ``monitor.json`` and ``monitor.md``; returns the latter."""
    text = as_markdown(found, about)
    rows = requirements(found["monitor"], found["milliseconds"])
    required = [dict(zip(("what", "required", "measured", "met"), row, strict=True)) for row in rows]
    write_text(out / "monitor.json", json.dumps({**found, "required": required}, indent=1))
    write_text(out / "monitor.md", text)
    return text
