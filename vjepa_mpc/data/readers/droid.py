"""DROID's raw layout: ``trajectory.h5`` beside ``recordings/MP4/<serial>.mp4``, a folder an episode.

The MP4s declare 60 pictures a second but hold one picture for each row, taken at 15 Hz; the true times are in the HDF5.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from vjepa_mpc.data.episode import Recording, cut_to_rows
from vjepa_mpc.data.errors import DataError, listed, needs
from vjepa_mpc.data.mapping import NO_GRIPPER, DataMapping
from vjepa_mpc.data.reader import Reader, Source, choose_camera, columns_of
from vjepa_mpc.data.tracks import RawGripper, RawPoses
from vjepa_mpc.data.videos.reading import Video, VideoPictures

_POSES = "observation/robot_state/cartesian_position"
_GRIPPER = "observation/robot_state/gripper_position"
_CAMERAS = "observation/timestamp/cameras"
# Later ones are nearer to when the picture was received than to when it was taken.
_STAMPS = ("estimated_capture", "read_start", "frame_received", "read_end")
_ROLES = {
    "left": ("left_mp4_path",),
    "right": ("right_mp4_path",),
    "wrist": ("wrist_mp4_path", "wrist_cam_serial"),
    "ext1": ("ext1_mp4_path", "ext1_cam_serial"),
    "ext2": ("ext2_mp4_path", "ext2_cam_serial"),
}
_FOLDER_TIME = re.compile(r"([A-Za-z]{3})_+(\d+)_+(\d+)_+(\d+)_+(\d+)_+(\d{4})$")


class DroidReader(Reader):
    """DROID raw episodes, in the order of their times."""

    title = "DROID raw (folders with trajectory.h5)"

    @staticmethod
    def recognises(path: Path) -> bool:
        """Whether a ``trajectory.h5`` is somewhere below; looks no further than the first."""
        return path.is_dir() and next(path.rglob("trajectory.h5"), None) is not None

    def sources(self) -> Sequence[Source]:
        """One episode a ``trajectory.h5``."""
        folders = sorted((file.parent for file in self.path.rglob("trajectory.h5")), key=_when)
        names = [str(folder.relative_to(self.path)) for folder in folders]
        return [
            Source(folder.name if name == "." else name, partial(_open, folder, name, self.mapping))
            for folder, name in zip(folders, names, strict=True)
        ]


def _when(folder: Path) -> tuple[datetime, str]:
    """When an episode was recorded, by its folder's name such as ``Thu_Oct__9_08_53_20_2025``."""
    found = _FOLDER_TIME.search(folder.name)
    try:
        time = datetime.strptime(" ".join(found.groups()), "%b %d %H %M %S %Y") if found else datetime.max
    except ValueError:
        time = datetime.max
    return time, str(folder)


def _open(folder: Path, name: str, mapping: DataMapping) -> Recording:
    serial, notes = _camera(folder, mapping.images)
    found = mapping.filled(
        poses=_POSES, gripper=_GRIPPER, rotation="euler", gripper_open=0.0, gripper_closed=1.0, images=serial
    )
    h5py = needs("h5py")
    try:
        with h5py.File(folder / "trajectory.h5", "r") as file:
            stamps = _stamps(file, serial)
            if found.fps is not None:
                stamps = stamps[0] + np.arange(len(stamps)) / found.fps
            poses = _poses(file, stamps, found)
            gripper = None if found.gripper == NO_GRIPPER else RawGripper(stamps, _gripper(file, found))
    except OSError as error:
        raise DataError(f"{folder / 'trajectory.h5'} cannot be read ({error})") from error
    video = Video(folder / "recordings" / "MP4" / f"{serial}.mp4")
    count, missing = cut_to_rows(stamps, len(video), f"the video {serial}.mp4")
    return Recording(
        name=folder.name if name == "." else name,
        stamps=stamps[:count],
        pictures=VideoPictures(video, count),
        poses=poses,
        gripper=gripper,
        mapping=found,
        task=str(_metadata(folder).get("current_task", "")),
        video_rate=video.rate,
        notes=notes + missing,
    )


def _metadata(folder: Path) -> dict[str, Any]:
    """The episode's metadata; empty where it is missing or damaged: nothing in it is needed."""
    for file in sorted(folder.glob("metadata*.json")):
        try:
            values = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(values, dict):
            return values
    return {}


def _camera(folder: Path, wanted: str) -> tuple[str, tuple[str, ...]]:
    """The serial number of the camera whose MP4 is read."""
    there = sorted(file.stem for file in (folder / "recordings" / "MP4").glob("*.mp4") if "stereo" not in file.stem)
    metadata = _metadata(folder)
    roles = {role: _serial(metadata, keys) for role, keys in _ROLES.items()}
    if wanted in roles:
        if roles[wanted] in there:
            return roles[wanted], ()
        raise DataError(f"images: the camera {wanted!r} ({roles[wanted] or 'unknown'}) is not among {listed(there)}")
    if not wanted:
        # Published training took DROID's "left" camera; any other that is not on the wrist is the next best.
        for role in ("left", "right", "ext1", "ext2"):
            if roles[role] in there:
                return roles[role], ()
    return choose_camera(wanted, there, "MP4s in recordings/MP4")


def _serial(metadata: dict[str, Any], keys: tuple[str, ...]) -> str:
    """A serial number by the file's name: the folders before it are of the lab that recorded it."""
    value = next((metadata[key] for key in keys if metadata.get(key)), "")
    return Path(str(value)).stem


def _stamps(file: Any, serial: str) -> np.ndarray:
    for kind in _STAMPS:
        key = f"{_CAMERAS}/{serial}_{kind}"
        if key in file:
            return np.asarray(file[key], dtype=np.float64) / 1e3
    there = listed(file[_CAMERAS]) if _CAMERAS in file else "nothing"
    raise DataError(f"trajectory.h5 has no stamps of the camera {serial}: under {_CAMERAS} there is {there}")


def _poses(file: Any, stamps: np.ndarray, mapping: DataMapping) -> RawPoses:
    values = _rows(file, mapping.poses, "poses", stamps)
    if mapping.orientations:
        rotations = _rows(file, mapping.orientations, "orientations", stamps)
        return RawPoses(stamps, values[:, :3], rotations)
    columns = _columns(values, mapping.position_columns, "position_columns") or [0, 1, 2]
    turned = _columns(values, mapping.rotation_columns, "rotation_columns") or list(range(3, values.shape[1]))
    return RawPoses(stamps, values[:, columns], values[:, turned])


def _gripper(file: Any, mapping: DataMapping) -> np.ndarray:
    values = _rows(file, mapping.gripper, "gripper", None)
    columns = _columns(values, mapping.gripper_columns, "gripper_columns")
    return np.abs(values[:, columns]).sum(axis=1) if columns else values[:, 0]


def _rows(file: Any, key: str, option: str, stamps: np.ndarray | None) -> np.ndarray:
    if key not in file:
        robot = file.get("observation/robot_state")
        there = [] if robot is None else [f"observation/robot_state/{name}" for name in robot]
        raise DataError(f"{option}: trajectory.h5 has no {key}: there is {listed(there)}")
    values = np.asarray(file[key], dtype=np.float64)
    values = values.reshape(len(values), -1)
    if stamps is not None and len(values) != len(stamps):
        raise DataError(f"{key} has {len(values)} rows, but there are {len(stamps)} stamps: record it again")
    return values


def _columns(values: np.ndarray, wanted: tuple[str, ...], key: str) -> list[int]:
    return columns_of([str(index) for index in range(values.shape[1])], wanted, key)
