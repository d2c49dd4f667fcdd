"""`make own-data`: a camera that the model does not know, and what recordings of one's own do about it.

The simulated arm's camera is turned; the arm plays by itself through the ROS topics and is recorded; the bundled model
is post-trained on that and judged on other recordings before and after; and it reaches for goals before and after.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from vjepa_mpc import exit_status
from vjepa_mpc.arguments import COUNT, SEED, Parser, local_path, real, whole
from vjepa_mpc.evaluation.episodes import policy_runner, run_all
from vjepa_mpc.evaluation.policies import BUDGET_ONLY, VisualPolicy
from vjepa_mpc.evaluation.probe import position_error
from vjepa_mpc.evaluation.report import summarise
from vjepa_mpc.exit_status import ExitStatus
from vjepa_mpc.files import require_writable, write_text
from vjepa_mpc.planning import PRESETS
from vjepa_mpc.sim import Camera, FrankaSim, SimConfig
from vjepa_mpc.sim.tasks.reach import ReachTask
from vjepa_mpc.tools import cli
from vjepa_mpc.tools.own_data.recording import Play, PlayError, record
from vjepa_mpc.tools.own_data.table import JSON_FILE, TABLE_FILE, table
from vjepa_mpc.tools.processes import DomainLease, local_environment
from vjepa_mpc.worldmodel import bundled_model_path, load_world_model, resolve_dtype, tune_process

RECIPE, STEPS_AN_EPOCH, SECONDS_A_STEP = "minutes", 10, "0.8"
EPISODES = 5  # that the recordings to learn from are cut into; one of them chooses the best model


def parser() -> argparse.ArgumentParser:
    """The command line."""
    result = Parser(prog="own_data", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    result.add_argument(
        "--turn", type=real(-180.0, 180.0), default=30.0, help="of the camera, in degrees (default: 30)"
    )
    result.add_argument(
        "--minutes",
        type=real(0.1, 1e4),
        default=2.0,
        help="of playing to learn from; a quarter more to judge (default: 2)",
    )
    result.add_argument("--steps", type=whole(10, COUNT), default=100, help="of post-training (default: 100)")
    result.add_argument("--samples", type=whole(1, COUNT), default=16, help="for each judgement (default: 16)")
    result.add_argument(
        "--episodes", type=whole(1, COUNT), default=5, help="of reaching, before and after (default: 5)"
    )
    result.add_argument("--pictures", type=whole(8, COUNT), default=200, help="for the probe (default: 200)")
    result.add_argument("--seed", type=whole(0, SEED), default=0, help="of moves, samples and goals (default: 0)")
    result.add_argument("--recorded", action="store_true", help="do not play: use what a run before recorded in --out")
    result.add_argument("--out", type=local_path, default=Path("results/own-data"), help="folder for everything")
    return result


def main(args: Sequence[str] | None = None) -> int:
    """Entry point; exit status 0 when all was done, whatever the figures say; 1 after an error; 130 on Ctrl-C."""
    arguments = parser().parse_args(args)
    try:
        return exit_status.run("own_data", lambda: _run(arguments))
    except PlayError as error:
        print(f"own_data: {error}", file=sys.stderr)
        return ExitStatus.FAILED


def _run(arguments: argparse.Namespace) -> int:
    out, before = arguments.out, bundled_model_path()
    for name in (TABLE_FILE, JSON_FILE):
        require_writable(out / name, "--out")
    learned, judged, trained = (out / name for name in ("recordings", "held_out", "model"))
    shutil.rmtree(trained, ignore_errors=True)  # of a run before
    if not arguments.recorded:
        _record(arguments, learned, judged)
    models = {"before": before, "after": trained / "model.safetensors"}
    commands = {when: judge_words(arguments, model, judged, when) for when, model in models.items()}
    for words in (commands["before"], post_train_words(arguments, before, learned, trained), commands["after"]):
        print(f"\n$ vjepa-mpc {shlex.join(words)}", flush=True)
        status = cli.main(words)
        if status != ExitStatus.DONE:
            return status
    figures: dict[str, Any] = {"settings": {**vars(arguments), "out": str(out)}}
    for when, model in models.items():
        judgement = json.loads((out / f"judge_{when}" / "judge.json").read_text(encoding="utf-8"))
        figures[when] = {"judgement": judgement, "reach": _reach(model, when, arguments)}
    figures["probe"] = _probe(before, arguments)
    write_text(out / JSON_FILE, json.dumps(figures, indent=1))
    text = table(figures)
    write_text(out / TABLE_FILE, text)
    print(f"\n{text}\n{out}/: {TABLE_FILE}, {JSON_FILE}, judge_before/judge.html, judge_after/judge.html, model/")
    return ExitStatus.DONE


def _record(arguments: argparse.Namespace, learned: Path, judged: Path) -> None:
    for folder in (learned, judged):
        shutil.rmtree(folder, ignore_errors=True)
    seconds = 60.0 * arguments.minutes / EPISODES
    plays = {
        "learning": Play(folder=learned, minutes=arguments.minutes, episode=seconds, seed=2 * arguments.seed),
        "judging": Play(folder=judged, minutes=arguments.minutes / 4, episode=seconds, seed=2 * arguments.seed + 1),
    }
    domain = DomainLease().domain_id
    os.environ.update(local_environment(domain))
    record(arguments.out, domain, arguments.turn, plays)


def post_train_words(arguments: argparse.Namespace, model: Path, data: Path, out: Path) -> list[str]:
    """The sub-command that trains a model on recordings."""
    epochs = max(1, round(arguments.steps / STEPS_AN_EPOCH))
    schedule = {"epochs": epochs, "anneal": epochs // 2, "warmup": min(2, epochs // 4)}
    changes = [word for name, value in schedule.items() for word in ("--set", f"post_training.{name}={value}")]
    words = ["post-train", "--recipe", RECIPE, "--checkpoint", str(model), "--data", str(data), "--out", str(out)]
    return [*words, *changes]


def judge_words(arguments: argparse.Namespace, model: Path, data: Path, when: str) -> list[str]:
    """The sub-command that judges a model on recordings."""
    words = ["judge", "--model", str(model), "--data", str(data), "--seconds-a-step", SECONDS_A_STEP]
    words += ["--samples", str(arguments.samples), "--seed", str(arguments.seed)]
    return [*words, "--out", str(arguments.out / f"judge_{when}")]


def _reach(model: Path, when: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Reach episodes with a model and the turned camera."""
    tune_process(0)
    world_model = load_world_model(model, dtype=resolve_dtype("auto", torch.device("cpu")))
    policy = VisualPolicy(world_model, PRESETS["cpu"], BUDGET_ONLY)
    with FrankaSim(SimConfig(camera=Camera(turn=arguments.turn))) as sim:
        run = policy_runner(sim, policy)
        return summarise(list(run_all(ReachTask, arguments.episodes, arguments.seed, run, f"reach {when}")))


def _probe(model: Path, arguments: argparse.Namespace) -> dict[str, float]:
    """Metres by which a position is misread from the latents, with the camera as in training and turned."""
    world_model = load_world_model(model)
    found = {}
    for name, turn in (("as_trained", 0.0), ("turned", arguments.turn)):
        with FrankaSim(SimConfig(camera=Camera(turn=turn))) as sim:
            found[name] = position_error(world_model, sim, arguments.pictures, arguments.seed)
    return found


if __name__ == "__main__":
    sys.exit(main())
