"""`vjepa-mpc calibrate-sim`: what camera calibration does for a model whose camera is turned, in the simulator."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vjepa_mpc.arguments import local_path, real
from vjepa_mpc.calibration.calibrator import Calibrator
from vjepa_mpc.calibration.explain import explain_moves, explaining_config
from vjepa_mpc.calibration.fit import fit_rotation, mean_direction_error
from vjepa_mpc.calibration.route import RouteSettings
from vjepa_mpc.controller.model_arguments import add_model_arguments, load_model
from vjepa_mpc.controller.step import Observation
from vjepa_mpc.evaluation.arguments import add_episode_arguments
from vjepa_mpc.evaluation.episodes import policy_runner, run_all
from vjepa_mpc.evaluation.policies import BUDGET_ONLY, VisualPolicy
from vjepa_mpc.evaluation.report import summarise
from vjepa_mpc.exit_status import ExitStatus, interruption
from vjepa_mpc.files import require_writable, write_text
from vjepa_mpc.geometry.limits import WorkspaceBox
from vjepa_mpc.planning import PRESETS, CEMConfig
from vjepa_mpc.sim import Camera, FrankaSim, SimConfig
from vjepa_mpc.sim.moves import MAX_STEP, down_pose
from vjepa_mpc.sim.tasks.reach import ReachTask
from vjepa_mpc.worldmodel import WorldModel

TABLE_FILE, JSON_FILE = "calibration.md", "calibration.json"
START = (0.52, 0.0, 0.16)  # where the calibration begins
# Where the moves begin that the rotation is judged by; none of them is a place of the calibration.
HELD_OUT_STARTS = ((0.47, 0.03, 0.14), (0.56, -0.04, 0.13), (0.52, 0.05, 0.18))
BLOCK = np.array([0.60, -0.10])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "--angles", type=real(-180.0, 180.0), nargs="+", default=[-40, -20, 0, 20, 40], help="camera turns, degrees"
    )
    add_episode_arguments(parser, episodes=5, what="reach episodes, without and with")
    parser.add_argument(
        "--out", type=local_path, default=Path("results"), help=f"folder for {JSON_FILE} and {TABLE_FILE}"
    )
    add_model_arguments(parser)


def main(args: argparse.Namespace) -> int:
    """Run the command; returns the exit status: 0, whatever the figures say; 130 after Ctrl-C."""
    for name in (TABLE_FILE, JSON_FILE):
        require_writable(args.out / name, "--out")
    path, world_model = load_model(args)
    config = PRESETS[args.preset]
    rows = []
    with interruption() as interrupted:
        for turn in args.angles:
            rows.append(measure(world_model, config, turn, args.episodes, args.seed))  # keeps what is done
    if not rows:
        print("interrupted before the first angle was measured", file=sys.stderr)
        return ExitStatus.INTERRUPTED
    settings = {"model": path.name, "preset": args.preset, "reach_episodes": args.episodes, "seed": args.seed}
    text = markdown(settings, rows)
    if interrupted:
        text = f"**Interrupted:** {len(rows)} of {len(args.angles)} angles.\n\n{text}"
    print(text)
    write_text(args.out / TABLE_FILE, text)
    write_text(args.out / JSON_FILE, json.dumps({**settings, "partial": bool(interrupted), "angles": rows}, indent=1))
    return ExitStatus.INTERRUPTED if interrupted else ExitStatus.DONE


def measure(world_model: WorldModel, config: CEMConfig, turn: float, episodes: int, seed: int) -> dict[str, Any]:
    """Calibrate with a camera turned by so many degrees, and see what it changes."""
    route = RouteSettings()
    explaining = explaining_config(config, route.length)
    with FrankaSim(SimConfig(camera=Camera(turn=turn))) as sim:
        fit = fit_rotation(*explain_moves(world_model, observe(sim, START, route), explaining))
        pairs = [
            explain_moves(world_model, observe(sim, start, RouteSettings(places=1)), explaining)
            for start in HELD_OUT_STARTS
        ]
        planned, made = (np.concatenate(arrays) for arrays in zip(*pairs, strict=True))
        reach = {}
        for name, rotation in (("without", None), ("with", fit.matrix)):
            run = policy_runner(sim, VisualPolicy(world_model, config, BUDGET_ONLY, rotation))
            summary = summarise(list(run_all(ReachTask, episodes, seed, run, f"{turn:g} degrees {name} calibration")))
            reach[name] = {key: summary[key] for key in ("success_rate", "median_final_distance_m")}
    return {
        "turn_degrees": turn,
        "angle_degrees": math.degrees(fit.angle),
        "vertical_degrees": math.degrees(fit.angle * fit.axis[2]),
        "axis": fit.axis.tolist(),
        "angle_std_degrees": math.degrees(fit.angle_std),
        "residual_m": fit.residual,
        "confidence": fit.confidence,
        "reliable": fit.reliable,
        "moves": fit.count,
        "held_out_moves": len(made),
        "held_out_direction_error_before_degrees": math.degrees(mean_direction_error(planned, made)),
        "held_out_direction_error_after_degrees": math.degrees(mean_direction_error(planned @ fit.matrix.T, made)),
        "reach": reach,
    }


def observe(sim: FrankaSim, start: tuple[float, float, float], route: RouteSettings) -> Sequence[Observation]:
    """Make the moves of a calibration from a start; what was seen before, between and after them."""
    box = sim.config.workspace
    calibrator = Calibrator(WorkspaceBox(lower=box.low, upper=box.high), MAX_STEP)
    calibrator.set_goals([route])
    sim.reset(pose=down_pose(np.array(start)), block_position=BLOCK, block_yaw=0.0)
    while True:
        step = calibrator.propose(Observation(image=sim.render(), pose=sim.pose))
        calibrator.commit(step)
        if step.finished:
            return calibrator.observations
        sim.execute(step.target_pose, step.target_pose[6])


def markdown(settings: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    """The table of all angles."""
    moves, held_out = rows[0]["moves"], rows[0]["held_out_moves"]
    lines = [
        f"Camera turned about the vertical through its target; {moves} calibration moves, direction errors on "
        f"{held_out} other moves from other places, {settings['reach_episodes']} reach episodes (seed "
        f"{settings['seed']}), preset `{settings['preset']}`.",
        "",
        "| Camera turned by | found (about the vertical) | ± | residual | confidence | reliable "
        "| direction error before | after | reach without | with |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        before, after = (row[f"held_out_direction_error_{when}_degrees"] for when in ("before", "after"))
        reach = " | ".join(
            f"{100 * reached['success_rate']:.0f} %, {100 * reached['median_final_distance_m']:.1f} cm"
            for reached in (row["reach"]["without"], row["reach"]["with"])
        )
        lines.append(
            f"| {row['turn_degrees']:g}° | {row['angle_degrees']:.1f}° ({row['vertical_degrees']:.1f}°) "
            f"| {row['angle_std_degrees']:.1f}° | {100 * row['residual_m']:.1f} cm | {row['confidence']:.2f} "
            f"| {'yes' if row['reliable'] else 'no'} | {before:.1f}° | {after:.1f}° | {reach} |"
        )
    return "\n".join(lines) + "\n"
