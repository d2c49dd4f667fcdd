"""robomimic's HDF5: ``data/demo_N/obs/...`` with one row a step, without stamps."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from vjepa_mpc.data.episode import Pictures, Recording, cut_to_rows
from vjepa_mpc.data.errors import DataError, listed, needs
from vjepa_mpc.data.mapping import NO_GRIPPER, DataMapping
from vjepa_mpc.data.reader import Reader, Source, choose, choose_camera, columns_of
from vjepa_mpc.data.tracks import RawGripper, RawPoses

_SUFFIXES = (".hdf5", ".h5")
# Panda's gripper in robosuite: two fingers of up to 4 cm, of which the second counts downwards.
_FINGERS_OPEN = 0.08


class RobomimicReader(Reader):
    """The demonstrations of a robomimic HDF5 file."""

    title = "robomimic HDF5 (a file with data/demo_0/obs)"

    @staticmethod
    def recognises(path: Path) -> bool:
        """Whether it is an HDF5 file, or a folder of them, with ``data`` at its root."""
        return any(_has_demonstrations(file) for file in _files(path)[:1])

    def sources(self) -> Sequence[Source]:
        """One episode a demonstration, in the order of their numbers."""
        found = []
        files = _files(self.path)
        for file in files:
            rate = self.mapping.fps or _rate(file)
            for name in _demonstrations(file):
                shown = name if len(files) == 1 else f"{file.stem}/{name}"
                found.append(Source(shown, partial(_open, file, name, shown, rate, self.mapping)))
        return found


class _Rows(Pictures):
    """Pictures that are rows of a dataset; only the rows that are asked for are read."""

    def __init__(self, file: Path, key: str, count: int) -> None:
        self._file, self._key, self._count = file, key, count

    def __len__(self) -> int:
        return self._count

    def read(self, indices: np.ndarray) -> Iterable[np.ndarray]:
        with needs("h5py").File(self._file, "r") as file:
            rows = file[self._key]
            for index in indices.tolist():
                try:
                    yield rows[index]
                except OSError as error:
                    raise DataError(f"picture {index} of {self._key} cannot be read ({error})") from error


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(file for file in path.iterdir() if file.suffix in _SUFFIXES)
    return [path] if path.suffix in _SUFFIXES else []


def _has_demonstrations(path: Path) -> bool:
    try:
        with needs("h5py").File(path, "r") as file:
            return "data" in file
    except OSError as error:
        raise DataError(f"{path} cannot be opened as HDF5 ({error}): it is damaged or cut short") from error


def _demonstrations(path: Path) -> list[str]:
    with needs("h5py").File(path, "r") as file:
        names = list(file["data"])
    return sorted(names, key=lambda name: ([int(number) for number in re.findall(r"\d+", name)], name))


def _rate(path: Path) -> float | None:
    """Steps a second, as ``env_args`` of robosuite says; None where it does not."""
    with needs("h5py").File(path, "r") as file:
        try:
            described = json.loads(file["data"].attrs["env_args"])
            rate = float(described["env_kwargs"]["control_freq"])
        except (KeyError, TypeError, ValueError):
            return None
    return rate if np.isfinite(rate) and rate > 0 else None


def _open(path: Path, name: str, shown: str, rate: float | None, mapping: DataMapping) -> Recording:
    if rate is None:
        raise DataError("there are no stamps and no control_freq in env_args: set fps in the mapping")
    try:
        with needs("h5py").File(path, "r") as file:
            return _read(path, file[f"data/{name}"], shown, rate, mapping)
    except (OSError, KeyError) as error:
        raise DataError(f"data/{name} of {path.name} cannot be read ({error})") from error


def _read(path: Path, demonstration: Any, shown: str, rate: float, mapping: DataMapping) -> Recording:
    if "obs" not in demonstration:
        raise DataError(f"{demonstration.name} has no obs: extract observations with robomimic's dataset_states_to_obs")
    observations = demonstration["obs"]
    there = sorted(observations)
    camera, notes = choose_camera(mapping.images, [name for name in there if observations[name].ndim == 4], "images")
    found = mapping.filled(
        images=camera,
        poses=_named(there, "eef_pos"),
        orientations=_named(there, "eef_quat"),
        gripper=_named(there, "gripper_qpos"),
        rotation="quaternion_xyzw",
        gripper_open=_FINGERS_OPEN,
        gripper_closed=0.0,
    )
    pictures = observations[camera]
    if pictures.dtype != np.uint8 or pictures.shape[-1] != 3:
        raise DataError(f"{camera} is {pictures.dtype} {pictures.shape[1:]}: pictures have to be uint8 [H, W, 3]")
    poses = _rows(observations, found.poses, "poses")
    count, missing = cut_to_rows(poses, len(pictures), camera)
    stamps = np.arange(len(poses)) / rate
    return Recording(
        name=shown,
        stamps=stamps[:count],
        pictures=_Rows(path, f"{observations.name}/{camera}", count),
        poses=_poses(observations, poses, stamps, found),
        gripper=_gripper(observations, stamps, found),
        mapping=found,
        notes=notes + missing,
    )


def _named(there: Sequence[str], ending: str) -> str:
    """The observation of the first robot with this ending; robosuite calls it ``robot0_eef_pos``."""
    return next((name for name in there if name.endswith(ending)), f"robot0_{ending}")


def _poses(observations: Any, values: np.ndarray, stamps: np.ndarray, mapping: DataMapping) -> RawPoses:
    names = [str(index) for index in range(values.shape[1])]
    columns = columns_of(names, mapping.position_columns, "position_columns") or [0, 1, 2]
    turned = columns_of(names, mapping.rotation_columns, "rotation_columns")
    if turned:
        return RawPoses(stamps, values[:, columns], values[:, turned])
    return RawPoses(stamps, values[:, columns], _rows(observations, mapping.orientations, "orientations"))


def _gripper(observations: Any, stamps: np.ndarray, mapping: DataMapping) -> RawGripper | None:
    if mapping.gripper == NO_GRIPPER:
        return None
    values = _rows(observations, mapping.gripper, "gripper")
    names = [str(index) for index in range(values.shape[1])]
    columns = columns_of(names, mapping.gripper_columns, "gripper_columns") or list(range(values.shape[1]))
    return RawGripper(stamps, np.abs(values[:, columns]).sum(axis=1) if len(columns) > 1 else values[:, columns[0]])


def _rows(observations: Any, key: str, option: str) -> np.ndarray:
    choose(key, sorted(observations), "observations", option)
    if observations[key].ndim > 2:
        raise DataError(f"{option}: {key} has the shape {observations[key].shape}: rows of numbers are needed")
    values = np.asarray(observations[key], dtype=np.float64)
    if not len(values):
        raise DataError(f"{key} has no rows: {listed(sorted(observations))} were recorded")
    return values.reshape(len(values), -1)
