"""What the page says in words, as HTML."""

from __future__ import annotations

import math
from collections.abc import Iterable
from html import escape

from vjepa_mpc.dashboard.seen import IDLE, MOVING, STOPPED, WAITING, Seen, Status

_COLOURS = {MOVING: "#2b8a3e", IDLE: "#495057", WAITING: "#b35c00", STOPPED: "#c92a2a"}
_LATE = 5.0  # seconds without a word from the planner, which speaks once a second unless it plans for longer
_OLD = 1.0  # seconds from which on an input's age is marked


def banner(seen: Seen, now: float) -> str:
    """State, reason and remedy, large and in the state's colour."""
    status = seen.status
    if seen.trouble:
        return _banner(STOPPED, "no planner", seen.trouble)
    if status is None:
        return _banner(WAITING, "…", "nothing heard of the planner yet")
    held = "Held by this page: press Release HOLD to let it go on. " if seen.held else ""
    words = held + _words(status)
    age = now - status.received
    late = f" (said {age:.0f} s ago)" if age > _LATE else ""
    reason = "" if status.reason in ("NONE", status.state) else f" · {status.reason}"
    mood = WAITING if late and status.mood == MOVING else status.mood
    return _banner(mood, f"{status.state}{reason}{late}", words)


def figures(seen: Seen, now: float) -> str:
    """Goal, step, energies, times and ages as a table."""
    status = seen.status
    rows: list[tuple[str, str, bool]] = []
    if status is not None and status.goal_id and status.step:
        budget = f" of {status.step_budget}" if status.step_budget else ""
        ended = f", the one before ended by {status.ended_by}" if status.ended_by else ""
        rows.append(
            ("goal", f"no. {status.goal_id}: sub-goal {status.sub_goal + 1} of {status.sub_goals}{ended}", False)
        )
        rows.append(("step", f"{status.step}{budget}", False))
        rows.append(("energy", f"{_number(status.energy)}, {_number(status.expected)} expected after the plan", False))
        plan = f"{1e3 * status.plan_time:.0f} ms, encoding {1e3 * status.encode_time:.0f} ms"
        rows.append(("plan time", plan, False))
    if seen.ages:
        ages = ", ".join(f"{name} {_age(age)}" for name, age in seen.ages.items())
        rows.append(("age of inputs", ages, any(age > _OLD for age in seen.ages.values())))
    if seen.pose is not None:
        x, y, z = seen.pose.position
        rows.append(("hand", f"x {x:.3f}, y {y:.3f}, z {z:.3f} m", False))
    return f"<table style='{_TABLE}'>{''.join(map(_row, rows))}</table>"


def answers(said: Iterable[tuple[bool, str]]) -> str:
    """What was answered to what was clicked, the newest first."""
    lines = (
        f"<div style='margin:0 0 .35em;color:{'inherit' if done else _COLOURS[STOPPED]}'>"
        f"{'✓' if done else '✗'} {escape(words)}</div>"
        for done, words in said
    )
    return f"<div class='answers' style='{_ANSWERS}'>{''.join(lines)}</div>"


_ANSWERS = "margin:.2em .7em;font-size:.85em;height:6.4em;overflow:auto"  # as high with few as with many
_TABLE = "margin:.2em .6em .6em;font-size:.88em;border-spacing:.6em .1em;font-variant-numeric:tabular-nums"


def _banner(mood: str, title: str, words: str) -> str:
    style = f"background:{_COLOURS[mood]};color:white;padding:.6em .9em;margin:.4em .6em;border-radius:6px"
    return (
        f"<div class='banner' style='{style}'><div style='font-size:1.25em;font-weight:700'>{escape(title)}</div>"
        f"<div style='min-height:4.2em'>{escape(words)}</div></div>"
    )


def _words(status: Status) -> str:
    if status.mood != MOVING:
        return status.message
    clipped = f" {status.message}" if status.reason == "NONE" else ""
    of = f", sub-goal {status.sub_goal + 1} of {status.sub_goals}" if status.sub_goals else ""
    return f"The arm follows goal {status.goal_id}{of}.{clipped}"


def _row(row: tuple[str, str, bool]) -> str:
    name, value, marked = row
    colour = f"color:{_COLOURS[WAITING]};font-weight:600" if marked else ""
    return f"<tr><td style='opacity:.65'>{escape(name)}</td><td style='{colour}'>{escape(value)}</td></tr>"


def _number(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else "unknown"


def _age(seconds: float) -> str:
    return f"{seconds:.2f} s" if math.isfinite(seconds) else "never came"
