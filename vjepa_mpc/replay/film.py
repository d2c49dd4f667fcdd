"""A recording as a video: what the camera saw beside what the model expected of each action, and the goal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from vjepa_mpc.controller.sight import Sight
from vjepa_mpc.data.errors import DataError
from vjepa_mpc.data.videos.writing import FILM, VideoFile
from vjepa_mpc.images import ImageError
from vjepa_mpc.imagination.imagined import SIDE, Imagination, drawn
from vjepa_mpc.imagination.settings import ImaginationSettings
from vjepa_mpc.imagination.surprise import square, write
from vjepa_mpc.replay.again import Replayer, Situation
from vjepa_mpc.replay.recording import Cycle, RecordedRun
from vjepa_mpc.worldmodel import Crop

FPS = 10.0
LONGEST_WAIT = 5.0  # seconds for which nothing new is shown; what lasts longer is cut out
_SPACE = 8  # pixels between pictures


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """A planned cycle in pictures, uint8 RGB [384, 384, 3] each.

    Attributes:
        cycle: as recorded.
        expected: what the model expected to see after the action; or words why there is nothing.
        goal: the picture that it was planned for.
        missing: why there is no picture of what was expected; empty where there is one.
    """

    cycle: Cycle
    expected: np.ndarray
    goal: np.ndarray
    missing: str = ""


def film(
    run: RecordedRun, cycles: Sequence[Cycle], replayer: Replayer, imagination: ImaginationSettings, path: Path
) -> list[str]:
    """Write the video of some cycles, as fast as it was.

    Args:
        run: the recording.
        cycles: in their order.
        replayer: gives the model and what a cycle was planned from.
        imagination: which decoder; without one, the nearest recorded picture is shown.
        path: to write.

    Returns:
        What could not be shown of which cycle, in words.

    Raises:
        DataError: no picture of these cycles is in the recording, or no video can be written here.
    """
    scenes, missing = _Scenes(replayer, imagination), []
    video = VideoFile(path, FPS, (3 * SIDE + 2 * _SPACE, SIDE), FILM)
    for number, cycle in enumerate(cycles, start=1):
        scene = scenes.of(cycle)
        missing += [f"{cycle.name}: {scene.missing}"] if scene.missing else []
        _append(video, scene, run.pictures_from(cycle, cycles[number:]), scenes.crop)
    video.close()
    if not video.count:
        path.unlink(missing_ok=True)
        raise DataError("no picture of these cycles is in the recording: there is nothing to show")
    return missing


def _append(video: VideoFile, scene: Scene, pictures: Iterator[tuple[float, np.ndarray]], crop: Crop) -> None:
    """The frames from a cycle's picture up to the following one's."""
    due = 0.0
    for seconds, image in pictures:
        if seconds > LONGEST_WAIT:
            return
        while seconds >= due:
            video.append(_frame(scene, image, crop))
            due += 1.0 / FPS


class _Scenes:
    """Makes the scenes of cycles, one after the other."""

    def __init__(self, replayer: Replayer, settings: ImaginationSettings) -> None:
        self._replayer, self._settings = replayer, settings
        self._imagination: Imagination | None = None
        self.crop: Crop = "square"

    def of(self, cycle: Cycle) -> Scene:
        try:
            situation = self._replayer.situation(cycle)
        except (DataError, ImageError) as error:
            return Scene(cycle=cycle, expected=_words("not known"), goal=_words("not known"), missing=str(error))
        self.crop = situation.crop
        sight = Sight(situation.world_model, situation.crop)
        imagination = self._imagination or Imagination(
            lambda: self._settings.open(situation.checkpoint), sight.encode, situation.crop
        )
        self._imagination = imagination
        if imagination.remembers:
            imagination.remember(sight.encode(situation.picture.image), situation.picture.image)
        expected = imagination.picture(_expected(sight, situation))
        goal = square(situation.goal_image, situation.crop, SIDE)
        write(goal, f"goal {cycle.goal_id}, picture {cycle.sub_goal + 1}")
        if expected is None:
            return Scene(cycle=cycle, expected=_words("not known"), goal=goal, missing="no picture to show it with")
        return Scene(cycle=cycle, expected=drawn(expected, "expected"), goal=goal)


def _expected(sight: Sight, situation: Situation) -> torch.Tensor:
    """The latent [N, D] after the first action that was carried out."""
    return sight.after(situation.latent, situation.question.origin, situation.cycle.actions[0])


def _frame(scene: Scene, image: np.ndarray, crop: Crop) -> np.ndarray:
    camera = square(image, crop, SIDE)
    write(camera, f"camera, step {scene.cycle.step}")
    gap = np.zeros((SIDE, _SPACE, 3), np.uint8)
    return np.concatenate([camera, gap, scene.expected, gap, scene.goal], axis=1)


def _words(text: str) -> np.ndarray:
    picture = np.full((SIDE, SIDE, 3), 60, np.uint8)
    cv2.putText(picture, text, (20, SIDE // 2), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (255, 255, 255), 1, cv2.LINE_AA)
    return picture
