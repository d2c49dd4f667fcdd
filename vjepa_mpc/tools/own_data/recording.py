"""A simulated arm that plays and is recorded, through the ROS topics, as a real one would be."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vjepa_mpc.tools.demo.nodes import share_folder
from vjepa_mpc.tools.processes import NodeProcess

_STARTING = 120.0  # seconds that a busy machine may take to start and end processes
_SLOWEST = 6.0  # times as long as it plays: holds do not count as playing
IMAGE_SIZE = 128  # pixels: as many as the bundled model looks at


class PlayError(RuntimeError):
    """The arm did not play; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Play:
    """One playing of the arm.

    Attributes:
        folder: for its bags.
        minutes: how long the arm moves.
        episode: seconds of an episode.
        seed: of the moves.
    """

    folder: Path
    minutes: float
    episode: float
    seed: int


def record(out: Path, domain: int, turn: float, plays: Mapping[str, Play]) -> None:
    """Start the simulator with its camera turned by degrees, and have the arm play one after the other.

    Args:
        out: folder for the nodes' logs.
        domain: DDS domain.
        turn: of the camera around the scene, in degrees.
        plays: by what they are for.

    Raises:
        PlayError: it did not play for so long.
    """
    config = share_folder() / "config"
    camera = {"camera_turn": f"{turn:.1f}", "image_size": str(IMAGE_SIZE)}
    with NodeProcess(
        "sim_node", out / "sim_node.log", domain, params_files=[config / "sim.yaml"], parameters=camera
    ) as sim:
        for what, play in plays.items():
            print(f"playing {play.minutes:g} min for {what}: {play.folder}", file=sys.stderr, flush=True)
            _play(out / f"play_{what}.log", domain, config, play, sim)


def _play(log: Path, domain: int, config: Path, play: Play, sim: NodeProcess) -> None:
    files = [config / "planner.yaml", config / "robots" / "sim.yaml"]
    words = ("--minutes", f"{play.minutes:g}", "--episode", f"{play.episode:g}", "--record", str(play.folder))
    with NodeProcess(
        "play", log, domain, params_files=files, parameters={"seed": str(play.seed)}, arguments=words
    ) as node:
        try:
            status = node.wait(_STARTING + 60.0 * _SLOWEST * play.minutes)
        except subprocess.TimeoutExpired:
            status = None
    if status != 0 or sim.returncode is not None:
        last = "\n  ".join(node.output().strip().splitlines()[-5:])
        raise PlayError(f"the arm did not play for {play.minutes:g} min; {log}:\n  {last}")
