"""The judgement as one HTML page that needs nothing beside it."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from html import escape

from vjepa_mpc.judging.conventions import Preference
from vjepa_mpc.judging.pictures import draw_errors, draw_landscapes, draw_moves
from vjepa_mpc.judging.report import Judgement
from vjepa_mpc.judging.turn import Turn
from vjepa_mpc.judging.verdict import CALIBRATE, READY

_STYLE = """
body { font: 15px/1.45 sans-serif; max-width: 1180px; margin: 2em auto; padding: 0 1em; color: #222; }
h1 { font-size: 1.5em; } h2 { font-size: 1.15em; margin-top: 2em; border-bottom: 1px solid #ddd; }
table { border-collapse: collapse; margin: .6em 0; } td, th { padding: .2em .8em; text-align: right; }
th { border-bottom: 1px solid #999; } td:first-child, th:first-child, td.words { text-align: left; }
tr:nth-child(even) td { background: #f6f6f6; } img { max-width: 100%; }
.verdict { padding: .8em 1em; border-left: 6px solid; font-size: 1.2em; }
.good { border-color: #2a2; background: #efe; } .middling { border-color: #c90; background: #ffd; }
.bad { border-color: #c33; background: #fee; } .note { color: #666; }
"""


def page(judgement: Judgement) -> str:
    """The whole page."""
    title = f"{judgement.model} on {judgement.data}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        *_verdict(judgement),
        *_prediction(judgement),
        *_recovery(judgement),
        *_turn(judgement.turn),
        *_landscapes(judgement),
        *_conventions(judgement.preferences),
        *_about(judgement),
    ]
    body = "\n".join(parts)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body>\n{body}\n</body></html>\n"
    )


def _verdict(judgement: Judgement) -> Iterator[str]:
    verdict = judgement.verdict
    colour = {READY: "good", CALIBRATE: "middling"}.get(verdict.motion, "bad")
    yield f'<p class="verdict {colour}"><b>{escape(str(verdict))}</b></p>'
    yield _bullets(verdict.advice)
    marks = {True: "yes", False: "no", None: "cannot be told"}
    yield _table(
        ["question", "answer", "figures"], [[each.name, marks[each.passed], each.says] for each in verdict.checks]
    )


def _prediction(judgement: Judgement) -> Iterator[str]:
    rows = judgement.errors
    yield "<h2>Prediction</h2>"
    if not rows:
        yield _note("Nothing was predicted.")
        return
    yield _note(
        f"{len(judgement.evidence.predictions)} clips in which something moves. Below 1 the model is better than what "
        "it is compared with; in brackets 95 % intervals (bootstrap over clips)."
    )
    yield _table(
        [
            "steps ahead",
            "model",
            "copying the frame",
            "another clip's actions",
            "model / copying",
            "model / other actions",
        ],
        [
            [
                str(row["steps"]),
                *(f"{row[name]:.4f}" for name in ("predicted", "copied", "shuffled")),
                *(
                    f"{row[f'beside_{name}']:.2f} {_interval(row[f'beside_{name}_95'])}"
                    for name in ("copied", "shuffled")
                ),
            ]
            for row in rows
        ],
    )
    yield _image(draw_errors(rows), "errors by horizon")


def _recovery(judgement: Judgement) -> Iterator[str]:
    evidence = judgement.evidence
    yield "<h2>What it would have done</h2>"
    if evidence.moves:
        yield _note(
            "From one frame to a later one the planner looks for the action; beside it stands what the arm did. "
            "Medians, in brackets 95 % intervals (bootstrap over moves). <i>Left</i> is the error as a share of the "
            "move."
        )
        yield _table(
            ["moves", "count", "length", "error", "direction", "left"],
            [
                [
                    row["moves"],
                    str(row["count"]),
                    f"{row['length_cm']:.1f} cm",
                    f"{row['error_cm']:.2f} {_interval(row['error_cm_95'])} cm",
                    f"{row['direction_degrees']:.0f} {_interval(row['direction_degrees_95'], 0)} °",
                    f"{row['left']:.2f} {_interval(row['left_95'])}",
                ]
                for row in judgement.recovery
            ],
        )
        yield _image(draw_moves(evidence.moves), "planned over made")
    else:
        yield _note("No move was planned.")
    signs = judgement.gripper
    if signs:
        yield _table(
            ["gripper", "sign right", "of", "95 %"],
            [
                [name, str(row["right"]), str(row["count"]), "{:.0%} to {:.0%}".format(*row["rate_95"])]
                for name, row in signs.items()
            ],
        )
    else:
        yield _note("The gripper neither opens nor closes in what was looked at.")


def _turn(turn: Turn | None) -> Iterator[str]:
    yield "<h2>The turn that explains the errors</h2>"
    if turn is None:
        yield _note("Too few moves, or all along one line.")
        return
    fit, (low, high) = turn.fit, turn.vertical_interval
    yield _note(
        "A camera that stands elsewhere than in training turns the model's actions. Each move is turned by what the "
        "others say."
    )
    yield _table(
        ["plans are turned by", "angle", "left of the way (median)"],
        [
            ["nothing", "0°", f"{turn.left:.2f}"],
            ["about the vertical", f"{turn.vertical:.1f}° ({low:.1f} to {high:.1f})", f"{turn.left_vertical:.2f}"],
            ["about any axis", f"{fit}", f"{turn.left_turned:.2f}"],
        ],
    )
    yield _note(f"The moves are {fit.scale:.2f} times as long as the plans.")


def _landscapes(judgement: Judgement) -> Iterator[str]:
    if judgement.evidence.landscapes:
        yield "<h2>Energy around what was done</h2>"
        yield _note(
            "Dark is low. The star is what the arm did, the dot what was planned; what is not on the axes is as it was "
            "done."
        )
        yield _image(draw_landscapes(judgement.evidence.landscapes), "energy landscapes")


def _conventions(found: Sequence[Preference]) -> Iterator[str]:
    yield "<h2>Conventions, tried both ways</h2>"
    yield _note("Error of a prediction beside that of copying the frame; lower is better.")
    yield _table(
        ["convention", "the other way", "as given", "the other", "change", "stretches", "the model prefers"],
        [
            [
                each.convention,
                each.other,
                "" if each.given_error is None else f"{each.given_error:.2f}",
                "" if each.other_error is None else f"{each.other_error:.2f}",
                ""
                if each.change is None or each.interval is None
                else f"{each.change:+.0%} {_percents(each.interval)}",
                str(each.count),
                each.verdict,
            ]
            for each in found
        ],
    )


def _about(judgement: Judgement) -> Iterator[str]:
    settings, evidence = judgement.settings, judgement.evidence
    yield "<h2>What was used</h2>"
    yield _bullets(
        [
            *judgement.about,
            f"{settings.seconds:g} s a step, crop {settings.crop}, {settings.samples} samples, seed {settings.seed}; "
            f"planner: {settings.planner.samples} samples, {settings.planner.cem_steps} iterations",
            f"{len(evidence.episodes)} episode(s): {', '.join(evidence.episodes[:20])}",
            *(f"left out: {each}" for each in evidence.left_out),
        ]
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def cell(text: str, tag: str) -> str:
        words = ' class="words"' if len(text) > 40 else ""
        return f"<{tag}{words}>{escape(text)}</{tag}>"

    lines = ["".join(cell(text, "th") for text in head), *("".join(cell(text, "td") for text in row) for row in rows)]
    return "<table>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def _bullets(lines: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def _note(text: str) -> str:
    return f'<p class="note">{text}</p>'


def _image(png: bytes, name: str) -> str:
    return f'<img alt="{name}" src="data:image/png;base64,{base64.b64encode(png).decode("ascii")}">'


def _interval(bounds: Sequence[float], digits: int = 2) -> str:
    return f"({bounds[0]:.{digits}f} to {bounds[1]:.{digits}f})"


def _percents(bounds: Sequence[float]) -> str:
    return f"({bounds[0]:+.0%} to {bounds[1]:+.0%})"
