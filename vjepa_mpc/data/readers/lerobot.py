"""LeRobot datasets: v3.0, where episodes share files, and v2.x, with a parquet and a video an episode."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from vjepa_mpc.data.episode import Pictures, Recording, cut_to_rows
from vjepa_mpc.data.errors import DataError, listed, needs
from vjepa_mpc.data.mapping import DataMapping
from vjepa_mpc.data.reader import Reader, Source, choose_camera
from vjepa_mpc.data.readers._lerobot_features import Columns, Layout, layout
from vjepa_mpc.data.tracks import RawGripper, RawPoses
from vjepa_mpc.data.videos.reading import TimedPictures, Video
from vjepa_mpc.images import ImageError, decode_image

# LeRobot's stamps are the frame's number divided by the rate, as float32. What differs by more was really measured.
_NOMINAL = 2e-3


class LeRobotReader(Reader):
    """The episodes of a LeRobot dataset."""

    title = "LeRobot v3.0 and v2.1 (folder with meta/info.json)"

    @staticmethod
    def recognises(path: Path) -> bool:
        """Whether there is ``meta/info.json``."""
        return (path / "meta" / "info.json").is_file()

    def sources(self) -> Sequence[Source]:
        """One source an episode; names are ``episode_000000`` and so on."""
        dataset = _Dataset(self.path, self.mapping)
        return [
            Source(f"episode_{int(entry['episode_index']):06d}", partial(dataset.open, entry))
            for entry in dataset.entries()
        ]


class _Dataset:
    """What all episodes of a dataset share."""

    def __init__(self, root: Path, mapping: DataMapping) -> None:
        self._root, self._info = root, _info(root)
        features = self._info["features"]
        self._third = str(self._info.get("codebase_version", "v2.1")).startswith("v3")
        cameras = [name for name, feature in features.items() if feature.get("dtype") in ("video", "image")]
        self._camera, self._notes = choose_camera(mapping.images, cameras, "camera features")
        self._layout: Layout = layout(features, mapping.filled(images=self._camera))
        self._in_video = features[self._camera]["dtype"] == "video"
        # Episodes that follow each other share their files.
        self._table = lru_cache(maxsize=1)(self._read_table)
        self._video = lru_cache(maxsize=1)(Video)

    def entries(self) -> list[dict[str, Any]]:
        """What the dataset tells of each episode, in their order."""
        found = _entries_v3(self._root) if self._third else _entries_v2(self._root, self._info)
        return sorted(found, key=lambda entry: int(entry["episode_index"]))

    def open(self, entry: dict[str, Any]) -> Recording:
        """Stamps and states of an episode, and where its pictures are."""
        number = int(entry["episode_index"])
        file = self._root / self._path("data_path", entry, "data")
        table = self._table(file)
        rows = np.flatnonzero(table["episode_index"] == number)
        if not len(rows):
            raise DataError(f"{file.name} has no rows of it: the dataset is incomplete")
        rows = rows[np.argsort(table["frame_index"][rows], kind="stable")]
        recorded, stamps = table["timestamp"][rows], self._stamps(table, rows)
        pictures, rate = self._pictures(entry, file, rows, recorded)
        count, missing = cut_to_rows(stamps, len(pictures), f"{self._camera} of episode {number}")
        return Recording(
            name=f"episode_{number:06d}",
            stamps=stamps[:count],
            pictures=pictures,
            poses=RawPoses(
                stamps, _take(table, self._layout.positions, rows), _take(table, self._layout.rotations, rows)
            ),
            gripper=self._gripper(table, rows, stamps),
            mapping=self._layout.mapping,
            task=_task(entry),
            video_rate=rate,
            notes=self._notes + missing,
        )

    def _stamps(self, table: dict[str, np.ndarray], rows: np.ndarray) -> np.ndarray:
        numbers, recorded = table["frame_index"][rows], table["timestamp"][rows]
        if self._layout.mapping.fps is not None:
            return numbers / self._layout.mapping.fps
        nominal = numbers / float(self._info["fps"])
        return nominal if np.allclose(recorded, nominal, rtol=1e-6, atol=_NOMINAL) else recorded

    def _gripper(self, table: dict[str, np.ndarray], rows: np.ndarray, stamps: np.ndarray) -> RawGripper | None:
        where = self._layout.gripper
        if where is None:
            return None
        values = _take(table, where, rows)
        return RawGripper(stamps, np.abs(values).sum(axis=1) if values.shape[1] > 1 else values[:, 0])

    def _pictures(
        self, entry: dict[str, Any], file: Path, rows: np.ndarray, recorded: np.ndarray
    ) -> tuple[Pictures, float | None]:
        if not self._in_video:
            return _Embedded(file, self._camera, rows), None
        video = self._video(self._root / self._path("video_path", entry, f"videos/{self._camera}"))
        times = recorded + float(entry.get(f"videos/{self._camera}/from_timestamp") or 0.0)
        end = (len(video) - 0.5) / (video.rate or float(self._info["fps"]))
        return TimedPictures(video, times[times <= end]), video.rate

    def _path(self, kind: str, entry: dict[str, Any], prefix: str) -> str:
        number = int(entry["episode_index"])
        try:
            return str(self._info[kind]).format(
                episode_index=number,
                episode_chunk=number // int(self._info.get("chunks_size") or 1000),
                chunk_index=int(entry.get(f"{prefix}/chunk_index") or 0),
                file_index=int(entry.get(f"{prefix}/file_index") or 0),
                video_key=self._camera,
            )
        except (KeyError, IndexError) as error:
            raise DataError(f"{kind} of meta/info.json is missing or needs {error}") from error

    def _read_table(self, file: Path) -> dict[str, np.ndarray]:
        """The columns that are needed of a parquet file, without pictures."""
        where = [self._layout.positions, self._layout.rotations, self._layout.gripper]
        wanted = {"timestamp", "frame_index", "episode_index", *(each.feature for each in where if each)}
        parquet, pyarrow = needs("pyarrow.parquet"), needs("pyarrow")
        try:
            table = parquet.read_table(file, columns=sorted(wanted), partitioning=None)
        except FileNotFoundError:
            raise DataError(f"{file} does not exist: the dataset is incomplete") from None
        except (OSError, pyarrow.ArrowException) as error:
            raise DataError(f"{file} cannot be read ({error}): it is damaged or cut short") from error
        missing = wanted - set(table.column_names)
        if missing:
            raise DataError(f"{file.name} has no columns {listed(sorted(missing))}: info.json promises them")
        return {name: _array(table[name]) for name in wanted}


class _Embedded(Pictures):
    """Pictures that are kept in the parquet file itself; only the row groups that hold them are read."""

    def __init__(self, file: Path, key: str, rows: np.ndarray) -> None:
        self._file, self._key, self._rows = file, key, rows

    def __len__(self) -> int:
        return len(self._rows)

    def read(self, indices: np.ndarray) -> Iterable[np.ndarray]:
        wanted = self._rows[indices]
        with needs("pyarrow.parquet").ParquetFile(self._file) as file:
            first = 0
            for group in range(file.num_row_groups):
                count = file.metadata.row_group(group).num_rows
                inside = wanted[(wanted >= first) & (wanted < first + count)] - first
                if len(inside):
                    yield from self._decode(file.read_row_group(group, columns=[self._key])[self._key], inside)
                first += count

    def _decode(self, column: Any, rows: np.ndarray) -> Iterator[np.ndarray]:
        for row in rows.tolist():
            cell = column[row].as_py() or {}
            data = cell.get("bytes") or b""
            try:
                yield decode_image(data, f"the picture in row {row} of {self._file.name}")
            except ImageError as error:
                raise DataError(str(error)) from error


def _info(root: Path) -> dict[str, Any]:
    file = root / "meta" / "info.json"
    try:
        info = json.loads(file.read_text(encoding="utf-8"))
        version, _ = str(info["codebase_version"]), info["features"]
        float(info["fps"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{file} cannot be used ({error!r}): it is damaged") from error
    if not version.startswith(("v2.", "v3.")):
        raise DataError(f"{root} is LeRobot {version}: convert it with LeRobot's own scripts to v2.1 or v3.0")
    return info


def _entries_v3(root: Path) -> list[dict[str, Any]]:
    files = sorted((root / "meta" / "episodes").rglob("*.parquet"))
    if not files:
        raise DataError(f"{root}/meta/episodes has no parquet files: the dataset is incomplete")
    parquet, pyarrow = needs("pyarrow.parquet"), needs("pyarrow")
    found: list[dict[str, Any]] = []
    for file in files:
        try:
            with parquet.ParquetFile(file) as opened:
                names = [name for name in opened.schema_arrow.names if not name.startswith("stats/")]
                found += opened.read(columns=names).to_pylist()
        except (OSError, pyarrow.ArrowException) as error:
            raise DataError(f"{file} cannot be read ({error}): it is damaged or cut short") from error
    return found


def _entries_v2(root: Path, info: dict[str, Any]) -> list[dict[str, Any]]:
    file = root / "meta" / "episodes.jsonl"
    if not file.is_file():
        return [{"episode_index": number} for number in range(int(info.get("total_episodes", 0)))]
    try:
        return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except ValueError as error:
        raise DataError(f"{file} is damaged ({error})") from error


def _task(entry: dict[str, Any]) -> str:
    tasks = entry.get("tasks") or []
    return str(tasks[0]) if isinstance(tasks, list) and tasks else ""


def _take(table: dict[str, np.ndarray], where: Columns, rows: np.ndarray) -> np.ndarray:
    values = table[where.feature][rows].astype(np.float64)
    return values.reshape(len(rows), -1)[:, list(where.columns)]


def _array(column: Any) -> np.ndarray:
    """A parquet column as an array [rows] or [rows, width]."""
    whole = column.combine_chunks()
    if hasattr(whole, "chunks"):  # some versions of pyarrow give back a ChunkedArray
        whole = whole.chunk(0)
    values = whole.flatten() if hasattr(whole, "flatten") and whole.type.num_fields else whole
    array = values.to_numpy(zero_copy_only=False)
    return array.reshape(len(whole), -1) if whole.type.num_fields else array
