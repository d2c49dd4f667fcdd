"""LeRobot v3.0: all episodes in a few parquet and MP4 files, at a fixed rate."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from vjepa_mpc.data.episode import Episode
from vjepa_mpc.data.errors import DataError, needs
from vjepa_mpc.data.videos.writing import DATASET, VideoFile, available
from vjepa_mpc.data.writer import Writer, pictures_of
from vjepa_mpc.data.writers._lerobot_files import Statistics, TableFile, write_tasks

CAMERA = "observation.images.camera"
STATE = ("x", "y", "z", "roll", "pitch", "yaw", "gripper_closedness")
_VIDEO_MB, _DATA_MB, _CHUNK = 200, 100, 1000
# Of each episode so many pictures count in the statistics.
_SEEN = 20
_DATA_PATH = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
_VIDEO_PATH = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"


class LeRobotWriter(Writer):
    """States as they are here; as actions the next states, since recordings need not tell what was commanded.

    Recordings whose stamps stray from the fixed rate by less than half an interval keep their pictures one by one;
    others are sampled at the rate.
    """

    def __init__(self, folder: Path, fps: float) -> None:
        super().__init__(folder, fps)
        self._video: VideoFile | None = None
        self._table: TableFile | None = None
        self._features: dict[str, Any] = {}
        self._files = {"data": 0, "video": 0}
        self._rows = 0
        self._tasks: dict[str, int] = {}
        self._episodes: list[dict[str, Any]] = []
        self._statistics: dict[str, Statistics] = {}

    def write(self, episode: Episode) -> None:
        """See :class:`Writer`."""
        stamps = self._stamps(episode)
        video, table = self._open_files(episode)
        start = video.count / self.fps
        columns = self._columns(episode, stamps)
        self._append_pictures(episode, stamps, video)
        table.append(columns)
        for name, values in columns.items():
            self._statistics.setdefault(name, Statistics()).add(values.reshape(len(values), -1), len(values))
        self._episodes.append(self._entry(episode, len(stamps), start))
        self._rows += len(stamps)

    def close(self) -> None:
        """See :class:`Writer`."""
        if self._video is None or self._table is None:
            raise DataError("no episode was written: there is nothing to finish")
        self._video.close()
        self._table.close()
        meta = self.folder / "meta"
        parquet, pyarrow = needs("pyarrow.parquet"), needs("pyarrow")
        episodes = meta / "episodes" / "chunk-000" / "file-000.parquet"
        episodes.parent.mkdir(parents=True)
        parquet.write_table(pyarrow.Table.from_pylist(self._episodes), episodes)
        write_tasks(meta / "tasks.parquet", list(self._tasks))
        (meta / "info.json").write_text(json.dumps(self._info(), indent=4), encoding="utf-8")
        shapes = {name: (3, 1, 1) if name == CAMERA else (-1,) for name in self._statistics}
        statistics = {name: each.summary(shapes[name]) for name, each in self._statistics.items()}
        (meta / "stats.json").write_text(json.dumps(statistics, indent=4), encoding="utf-8")

    def abandon(self) -> None:
        """See :class:`Writer`."""
        for file in (self._video, self._table):
            if file is not None:
                with suppress(Exception):  # the error that led here is the one to tell
                    file.close()

    def _stamps(self, episode: Episode) -> np.ndarray:
        """The pictures' own stamps where they keep to the rate, otherwise ones that do."""
        own = episode.stamps
        nominal = own[0] + np.arange(len(own)) / self.fps
        return own if np.abs(own - nominal).max() < 0.5 / self.fps else episode.grid(1.0 / self.fps)

    def _open_files(self, episode: Episode) -> tuple[VideoFile, TableFile]:
        """The files that the episode goes into; new ones when the last are full."""
        height, width = episode.images(episode.stamps[:1]).shape[1:3]
        size = width - width % 2, height - height % 2  # its colours are stored for each two by two pixels
        if self._video is not None and size != self._video.size:
            raise DataError(
                f"{episode.name} has pictures of {width} x {height}, the episodes before {self._video.size[0]} x "
                f"{self._video.size[1]}: a LeRobot dataset has one size; convert them apart"
            )
        if self._video is None or self._video.megabytes > _VIDEO_MB:
            if self._video is not None:
                self._video.close()
                self._files["video"] += 1
            self._video = VideoFile(self._path(_VIDEO_PATH, "video"), self.fps, size)
            self._features = self._features or _features(size, self.fps)
        if self._table is None or self._table.megabytes > _DATA_MB:
            if self._table is not None:
                self._table.close()
                self._files["data"] += 1
            self._table = TableFile(self._path(_DATA_PATH, "data"), self._features)
        return self._video, self._table

    def _path(self, template: str, kind: str) -> Path:
        chunk, file = divmod(self._files[kind], _CHUNK)
        return self.folder / template.format(chunk_index=chunk, file_index=file, video_key=CAMERA)

    def _columns(self, episode: Episode, stamps: np.ndarray) -> dict[str, np.ndarray]:
        states = episode.states(stamps).astype(np.float32)
        rows = np.arange(len(stamps))
        task = self._tasks.setdefault(episode.task, len(self._tasks))
        return {
            "observation.state": states,
            "action": np.concatenate([states[1:], states[-1:]]),
            "timestamp": (rows / self.fps).astype(np.float32),
            "frame_index": rows,
            "episode_index": np.full(len(rows), len(self._episodes)),
            "index": self._rows + rows,
            "task_index": np.full(len(rows), task),
        }

    def _append_pictures(self, episode: Episode, stamps: np.ndarray, video: VideoFile) -> None:
        width, height = video.size
        every = max(1, len(stamps) // _SEEN)
        statistics = self._statistics.setdefault(CAMERA, Statistics())
        for index, picture in enumerate(pictures_of(episode, stamps)):
            video.append(picture[:height, :width])
            if index % every == 0:
                statistics.add(picture[::4, ::4].reshape(-1, 3) / 255.0, 1)

    def _entry(self, episode: Episode, length: int, start: float) -> dict[str, Any]:
        """What ``meta/episodes`` tells of an episode."""
        data_chunk, data_file = divmod(self._files["data"], _CHUNK)
        video_chunk, video_file = divmod(self._files["video"], _CHUNK)
        return {
            "episode_index": len(self._episodes),
            "tasks": [episode.task],
            "length": length,
            "data/chunk_index": data_chunk,
            "data/file_index": data_file,
            "dataset_from_index": self._rows,
            "dataset_to_index": self._rows + length,
            f"videos/{CAMERA}/chunk_index": video_chunk,
            f"videos/{CAMERA}/file_index": video_file,
            f"videos/{CAMERA}/from_timestamp": start,
            f"videos/{CAMERA}/to_timestamp": start + length / self.fps,
            "meta/episodes/chunk_index": 0,
            "meta/episodes/file_index": 0,
        }

    def _info(self) -> dict[str, Any]:
        whole = int(self.fps) if float(self.fps).is_integer() else self.fps
        return {
            "codebase_version": "v3.0",
            "robot_type": "franka",
            "total_episodes": len(self._episodes),
            "total_frames": self._rows,
            "total_tasks": len(self._tasks),
            "chunks_size": _CHUNK,
            "data_files_size_in_mb": _DATA_MB,
            "video_files_size_in_mb": _VIDEO_MB,
            "fps": whole,
            "splits": {"train": f"0:{len(self._episodes)}"},
            "data_path": _DATA_PATH,
            "video_path": _VIDEO_PATH,
            "features": self._features,
        }


def _features(size: tuple[int, int], fps: float) -> dict[str, Any]:
    width, height = size
    video = {
        "video.height": height,
        "video.width": width,
        "video.codec": available(DATASET).codec,
        "video.pix_fmt": "yuv420p",
        "video.is_depth_map": False,
        "video.fps": fps,
        "video.channels": 3,
        "has_audio": False,
    }
    vector = {"dtype": "float32", "shape": [len(STATE)], "names": list(STATE)}
    number = {"dtype": "int64", "shape": [1], "names": None}
    camera = {"dtype": "video", "shape": [height, width, 3], "names": ["height", "width", "channels"], "info": video}
    return {
        CAMERA: camera,
        "observation.state": vector,
        "action": dict(vector),
        "timestamp": {"dtype": "float32", "shape": [1], "names": None},
        **{name: dict(number) for name in ("frame_index", "episode_index", "index", "task_index")},
    }
