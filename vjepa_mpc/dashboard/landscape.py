"""The energy landscape of this moment, drawn by a process of its own: the page needs no world model for it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from vjepa_mpc.dashboard.commands import Answer
from vjepa_mpc.dashboard.seen import Seen
from vjepa_mpc.images import encode_png, read_image_file

MODEL_OPTIONS = {"checkpoint": "--model", "crop": "--crop", "preset": "--preset"}
"""The planner's parameters that the command needs, and what it calls them."""

_LONGEST = 300.0  # seconds


class Landscapes:
    """Draws one landscape at a time.

    Args:
        seen: the picture, the goal, and the pose at the newest plan.
    """

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self._drawing = threading.Lock()

    def draw(self, shown: Callable[[np.ndarray], None], answer: Answer) -> None:
        """Have it drawn; returns at once. ``shown`` gets uint8 RGB [H, W, 3], ``answer`` what the landscape says."""
        seen = self._seen
        status, goal, camera, state = seen.status, seen.goal, seen.camera, seen.state
        if camera is None or status is None or goal is None or state is None or status.sub_goal >= len(goal.pictures):
            answer(False, "a landscape needs a goal, a picture, and a plan: set a goal first")
            return
        if not self._drawing.acquire(blocking=False):
            answer(False, "a landscape is being drawn already")
            return
        wanted, model = goal.pictures[status.sub_goal], dict(seen.model)

        def work() -> None:
            try:
                image, words = _drawn(camera.decode(), wanted.decode(), state, model)
                shown(image)
                answer(True, words)
            except (ValueError, OSError, subprocess.SubprocessError) as error:
                answer(False, f"no landscape: {error}")
            finally:
                self._drawing.release()

        threading.Thread(target=work, name="landscape", daemon=True).start()


def _drawn(seen: np.ndarray, wanted: np.ndarray, state: np.ndarray, model: Mapping[str, str]) -> tuple[np.ndarray, str]:
    """The picture, and what it says.

    Raises:
        ValueError: the command could not do it; its own words.
    """
    with tempfile.TemporaryDirectory(prefix="landscape-") as name:
        folder = Path(name)
        for file, image in (("seen.png", seen), ("wanted.png", wanted)):
            (folder / file).write_bytes(encode_png(image))
        pose = [f"{number:.6f}" for number in state]
        options = [word for key, value in model.items() if value for word in (MODEL_OPTIONS[key], value)]
        command = [sys.executable, "-m", "vjepa_mpc", "landscape", "pictures", "seen.png", "wanted.png"]
        done = subprocess.run(
            [*command, *options, "--threads", "1", "--out", "out.png", "--pose", *pose],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=_LONGEST,
            check=False,
        )
        if done.returncode != 0:
            said = done.stderr.strip().splitlines()
            raise ValueError(said[-1] if said else f"vjepa-mpc landscape ended with status {done.returncode}")
        return read_image_file(folder / "out.png"), done.stdout.strip().splitlines()[0]
