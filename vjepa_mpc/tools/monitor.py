"""`vjepa-mpc monitor fit|watch|evaluate`: learn from normal runs, watch others, and measure how well that goes."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import get_args

from vjepa_mpc.arguments import COUNT, SEED, local_path, real, whole
from vjepa_mpc.controller.model_arguments import add_model_arguments, load_model
from vjepa_mpc.data import open_dataset
from vjepa_mpc.data.errors import warnings_as_lines
from vjepa_mpc.exit_status import ExitStatus
from vjepa_mpc.files import require_writable, write_text
from vjepa_mpc.monitor import file
from vjepa_mpc.monitor.fit import FEWEST, FitSettings, fit
from vjepa_mpc.monitor.naming import Deviation
from vjepa_mpc.monitor.recordings import sights_of
from vjepa_mpc.monitor.sight import Eye, Sights, fingerprint
from vjepa_mpc.monitor.steps import read_steps
from vjepa_mpc.monitor.watch import watch_run
from vjepa_mpc.worldmodel import Crop

_RATE, _ALARMS = 5.0, 0.05


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the commands and their options."""
    commands = parser.add_subparsers(dest="action", required=True, metavar="fit|watch|evaluate")
    fitting = commands.add_parser("fit", help="learn from recordings of normal runs")
    _add_recordings(fitting, f"at least {FEWEST} normal runs")
    fitting.add_argument(
        "--out", type=local_path, default=Path("monitor.npz"), help="the monitor (default: monitor.npz)"
    )
    fitting.add_argument("--rate", type=real(0.1, 60.0), default=_RATE, help="pictures a second that are looked at")
    fitting.add_argument(
        "--false-alarms", type=real(1e-4, 0.5), default=_ALARMS, help="accepted, per run (default: 0.05)"
    )
    fitting.add_argument("--steps", type=local_path, metavar="YAML", help="names and ends of the steps")
    fitting.add_argument("--without-states", action="store_true", help="learn from the camera alone")
    fitting.add_argument("--seed", type=whole(0, SEED), default=0, help="of what is drawn (default: 0)")
    watching = commands.add_parser("watch", help="watch recorded runs as if they were live")
    _add_recordings(watching, "the runs to watch")
    watching.add_argument("--monitor", type=local_path, required=True, help="made by fit")
    watching.add_argument("--json", type=local_path, help="what was noticed, for machines")
    measuring = commands.add_parser("evaluate", help="measure it in the simulator")
    for name, default, what in (
        ("fit-runs", 40, "normal runs to learn from"),
        ("normal", 60, "normal runs to watch"),
        ("each", 30, "runs to watch of each of eleven deviations"),
    ):
        measuring.add_argument(f"--{name}", type=whole(1, COUNT), default=default, help=f"{what} (default: {default})")
    measuring.add_argument(
        "--out", type=local_path, default=Path("results"), help="folder for monitor.md, monitor.json and the runs"
    )
    for each in (fitting, watching, measuring):
        add_model_arguments(each)
        if each is not measuring:
            each.add_argument("--crop", choices=get_args(Crop), default="square", help="of the pictures")


def main(args: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    with warnings_as_lines("monitor"):
        return {"fit": _fit, "watch": _watch, "evaluate": _evaluate}[args.action](args)


def _add_recordings(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument(
        "--data", type=local_path, required=True, help=f"{what}, in any format that `vjepa-mpc data inspect` reads"
    )
    parser.add_argument("--mapping", type=local_path, metavar="YAML", help="what is what in them: see docs/datasets.md")


def _fit(args: argparse.Namespace) -> int:
    require_writable(args.out, "--out")
    steps = tuple(read_steps(args.steps)) if args.steps else ()
    names, runs, encoder = _sights(args, args.rate)
    settings = FitSettings(rate=args.false_alarms, states=not args.without_states, steps=steps, seed=args.seed)
    fitted = fit(runs, names, encoder, settings, _show)
    file.save(fitted, args.out)
    course = len(fitted.learned.course) * fitted.learned.period
    print(f"{len(runs)} normal runs, usually {course:.1f} s; steps:")
    for step in fitted.steps:
        print(f"  {step.name}: {step.begin * fitted.learned.period:.1f} to {step.end * fitted.learned.period:.1f} s")
    print(f"false alarms in at most {fitted.rate:.3g} of such runs\n{args.out}")
    return ExitStatus.DONE


def _watch(args: argparse.Namespace) -> int:
    fitted = file.load(args.monitor)
    names, runs, encoder = _sights(args, 1.0 / fitted.learned.period)
    found = []
    for name, run in zip(names, runs, strict=True):
        told = watch_run(fitted, run, encoder)
        found.append({"run": name, "deviations": [asdict(each) for each in told.deviations]})
        print(f"{name}: {_in_words(told.deviations)}")
    if args.json:
        write_text(args.json, json.dumps(found, indent=1))
    return ExitStatus.DONE


def _in_words(deviations: list[Deviation]) -> str:
    if not deviations:
        return "as usual"
    return "; ".join(f"{each.name} in {each.step} after {each.began:.1f} s" for each in deviations)


def _sights(args: argparse.Namespace, rate: float) -> tuple[list[str], list[Sights], tuple[float, ...]]:
    _, model = load_model(args)
    dataset = open_dataset(args.data, args.mapping)
    eye = Eye(model, args.crop)
    runs = []
    for number, episode in enumerate(dataset):
        _show(f"looking at run {number + 1}/{len(dataset)}")
        runs.append(sights_of(episode, eye, rate))
    return [episode.name for episode in dataset], runs, fingerprint(model, args.crop)


def _evaluate(args: argparse.Namespace) -> int:
    from vjepa_mpc.evaluation.monitoring.evaluate import Evaluation, Plan, write

    require_writable(args.out / "monitor.md", "--out")
    path, model = load_model(args)
    plan = Plan(fit_runs=args.fit_runs, normal=args.normal, each=args.each)
    evaluation = Evaluation(model, args.out / "monitor", plan, _show)
    try:
        found = evaluation.measure()
    finally:
        evaluation.close()
    about = (
        f"By `vjepa-mpc monitor evaluate`, {path.name}: {plan.fit_runs} normal runs to learn from, {plan.normal} "
        f"normal ones and {plan.each} of each deviation to watch, of other seeds; {plan.rate:.0%} false alarms stated."
    )
    print(write(found, args.out, about))
    return ExitStatus.DONE


def _show(what: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{what}", end="", file=sys.stderr, flush=True)
