"""The table of what was before and what is after."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

TABLE_FILE, JSON_FILE = "own-data.md", "own-data.json"


def table(figures: Mapping[str, Any]) -> str:
    """As Markdown."""
    settings, probe = figures["settings"], figures["probe"]
    rows: list[tuple[str, Callable[[Mapping[str, Any]], str]]] = [
        ("reach: within 2.5 cm", lambda each: _rate(each["reach"])),
        ("reach: final distance, median", lambda each: _distance(each["reach"])),
        ("verdict on held-out recordings", lambda each: str(each["judgement"]["words"])),
        ("error of one step / copying the frame", lambda each: _beside(each["judgement"], "copied")),
        ("error of one step / another clip's actions", lambda each: _beside(each["judgement"], "shuffled")),
        ("left of the way after a plan, median", lambda each: _left(each["judgement"])),
        ("gripper's sign right", lambda each: _signs(each["judgement"])),
    ]
    lines = [
        f"Camera turned by {settings['turn']:g}°; {settings['minutes']:g} min of play, {settings['steps']} steps of "
        f"post-training; {settings['episodes']} reach episodes, seed {settings['seed']}; in brackets 95 % intervals.",
        "",
        "| | before | after |",
        "|---|---|---|",
        *(f"| {name} | {show(figures['before'])} | {show(figures['after'])} |" for name, show in rows),
        "",
        f"The frozen encoder: a linear probe reads the gripper's position from its latents to {_cm(probe['turned'])} "
        f"(median, held out) with the turned camera, to {_cm(probe['as_trained'])} with the camera as in training.",
    ]
    return "\n".join(lines) + "\n"


def _rate(reach: Mapping[str, Any]) -> str:
    low, high = reach["intervals_95"]["success_rate"]
    count = round(reach["success_rate"] * reach["episodes"])
    return f"{count} of {reach['episodes']} ({100 * low:.0f}–{100 * high:.0f} %)"


def _distance(reach: Mapping[str, Any]) -> str:
    low, high = reach["intervals_95"]["median_final_distance_m"]
    worst = _cm(reach["max_final_distance_m"])
    return f"{_cm(reach['median_final_distance_m'])} ({100 * low:.1f}–{100 * high:.1f}), worst {worst}"


def _beside(judgement: Mapping[str, Any], other: str) -> str:
    if not judgement["prediction"]:
        return "–"
    row = judgement["prediction"][0]
    low, high = row[f"beside_{other}_95"]
    return f"{row[f'beside_{other}']:.2f} ({low:.2f}–{high:.2f})"


def _left(judgement: Mapping[str, Any]) -> str:
    if not judgement["recovery"]:
        return "–"
    row = judgement["recovery"][0]
    low, high = row["left_95"]
    return f"{100 * row['left']:.0f} % ({100 * low:.0f}–{100 * high:.0f}), {row['direction_degrees']:.0f}° astray"


def _signs(judgement: Mapping[str, Any]) -> str:
    signs = judgement["gripper"].get("all")
    return "–" if signs is None else f"{signs['right']} of {signs['count']}"


def _cm(metres: float) -> str:
    return f"{100 * metres:.1f} cm"
