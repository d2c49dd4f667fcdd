"""What came out, beside what is required: JSON and Markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vjepa_mpc.evaluation.monitoring.deviations import KINDS, NAMES
from vjepa_mpc.evaluation.monitoring.outcome import Outcome, auroc
from vjepa_mpc.evaluation.statistics import wilson_interval

FALSE_ALARMS, AUROC, BALANCED, NAMED, SECONDS, STEP_SHARE, MILLISECONDS = 0.10, 0.95, 0.90, 0.80, 1.0, 0.25, 20.0
_AT_ONCE = ("dropped", "camera bumped", "foreign object")  # noticed within a second
_PACE = ("twice as fast", "half as fast")  # noticed within a quarter of a step


def summary(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The figures of one monitor over all runs."""
    normal = [each for each in outcomes if each.kind == "normal"]
    wrong = [each for each in outcomes if each.kind != "normal"]
    false = sum(math.isfinite(each.began) for each in normal)
    silent = 1.0 - false / len(normal)
    scores = [np.array([each.score for each in group]) for group in (normal, wrong)]
    return {
        "normal_runs": len(normal),
        "false_alarms": false / len(normal),
        "false_alarms_interval": wilson_interval(false, len(normal)),
        "auroc": auroc(*scores),
        "named_right": float(np.mean([each.named_right for each in wrong])),
        "kinds": {kind: _of_kind([each for each in wrong if each.kind == kind], silent) for kind in KINDS},
    }


def _of_kind(runs: Sequence[Outcome], silent: float) -> dict[str, Any]:
    noticed = float(np.mean([each.noticed for each in runs]))
    delays = np.array([each.delay for each in runs])
    shares = np.array([each.delay / each.step_seconds for each in runs])
    return {
        "n": len(runs),
        "noticed": noticed,
        "early": float(np.mean([each.began < each.onset for each in runs])),
        "balanced_accuracy": (noticed + silent) / 2,
        "named_right": float(np.mean([each.named_right for each in runs])),
        "named_right_at_once": float(np.mean([each.noticed and each.first_name == NAMES[each.kind] for each in runs])),
        "median_delay": float(np.median(delays)),
        "median_delay_in_steps": float(np.median(shares)),
    }


def requirements(found: Mapping[str, Any], milliseconds: float) -> list[tuple[str, str, str, bool]]:
    """What is required: (what, required, measured, met)."""
    kinds = found["kinds"]
    rows = [
        _at_most("false alarms on normal runs", FALSE_ALARMS, found["false_alarms"], "{:.1%}"),
        _at_least("AUROC over all", AUROC, found["auroc"], "{:.3f}"),
        *(
            _at_least(f"balanced accuracy, {kind}", BALANCED, row["balanced_accuracy"], "{:.3f}")
            for kind, row in kinds.items()
        ),
        _at_least("class named right", NAMED, found["named_right"], "{:.1%}"),
        *(_at_most(f"median delay, {kind}", SECONDS, kinds[kind]["median_delay"], "{:.2f} s") for kind in _AT_ONCE),
        *(
            _at_most(f"median delay in steps, {kind}", STEP_SHARE, kinds[kind]["median_delay_in_steps"], "{:.0%}")
            for kind in _PACE
        ),
        _at_most("a frame", MILLISECONDS, milliseconds, "{:.1f} ms"),
    ]
    return rows


def _at_most(what: str, limit: float, value: float, form: str) -> tuple[str, str, str, bool]:
    return what, f"≤ {form.format(limit)}", form.format(value), value <= limit


def _at_least(what: str, limit: float, value: float, form: str) -> tuple[str, str, str, bool]:
    return what, f"≥ {form.format(limit)}", form.format(value), value >= limit


def of_baseline(limit: float, scores: Sequence[tuple[str, float]]) -> dict[str, Any]:
    """The figures of a simpler monitor, from (kind, largest score) of each run; early alarms count as noticed."""
    of_kind = {kind: np.array([score for other, score in scores if other == kind]) for kind in ("normal", *KINDS)}
    normal = of_kind.pop("normal")
    return {
        "false_alarms": float((normal > limit).mean()),
        "auroc": auroc(normal, np.concatenate(list(of_kind.values()))),
        "kinds": {kind: {"noticed": float((values > limit).mean())} for kind, values in of_kind.items()},
    }


def as_markdown(found: Mapping[str, Any], about: str) -> str:
    """The tables."""
    monitor = found["monitor"]
    lines = [
        "# What the monitor notices",
        "",
        about,
        "",
        "| Required | | Measured | |",
        "|---|---|---|---|",
        *(
            f"| {what} | {wanted} | {got} | {'met' if met else '**missed**'} |"
            for what, wanted, got, met in requirements(monitor, found["milliseconds"])
        ),
        "",
        "| What goes wrong | n | Noticed | Alarm before | Balanced accuracy | Named right | … at once | Median delay |",
        "|---|---|---|---|---|---|---|---|",
        *(_kind_row(kind, row) for kind, row in monitor["kinds"].items()),
        "",
        "| Monitor | False alarms | AUROC | " + " | ".join(KINDS) + " |",
        "|---|---|---|" + "---|" * len(KINDS),
        _monitor_row("this one", monitor),
        _monitor_row("this one, camera only", found["camera_only"]),
        *(_monitor_row(name, row) for name, row in found["baselines"].items()),
        "",
    ]
    return "\n".join(lines)


def _kind_row(kind: str, row: Mapping[str, Any]) -> str:
    return (
        f"| {kind} ({NAMES[kind]}) | {row['n']} | {row['noticed']:.0%} | {row['early']:.0%} | "
        f"{row['balanced_accuracy']:.3f} | {row['named_right']:.0%} | {row['named_right_at_once']:.0%} | "
        f"{row['median_delay']:.2f} s |"
    )


def _monitor_row(name: str, found: Mapping[str, Any]) -> str:
    shares = " | ".join(f"{found['kinds'][kind]['noticed']:.0%}" for kind in KINDS)
    return f"| {name} | {found['false_alarms']:.0%} | {found['auroc']:.3f} | {shares} |"
