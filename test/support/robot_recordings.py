"""Small recordings of a made-up arm, in memory and in each format, with what is true of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import h5py
import numpy as np
import pyarrow
import pyarrow.parquet
import rosbags.rosbag2
from scipy.spatial.transform import Rotation

from vjepa_mpc.data import DataMapping, Episode
from vjepa_mpc.data.bags.types import types_with
from vjepa_mpc.data.episode import Pictures, Recording
from vjepa_mpc.data.tracks import RawGripper, RawPoses
from vjepa_mpc.data.writers.rosbag2 import Rosbag2Writer

WIDTH, HEIGHT, RATE = 128, 96, 15.0
START = 1_760_000_000.0
IN_MEMORY = DataMapping(rotation="quaternion_xyzw", gripper_open=0.0, gripper_closed=1.0)


@dataclass(frozen=True)
class Truth:
    """Stamps [T], images uint8 [T, 96, 128, 3], positions [T, 3], quaternions [T, 4] xyzw, closedness [T]."""

    stamps: np.ndarray
    images: np.ndarray
    positions: np.ndarray
    quaternions: np.ndarray
    closedness: np.ndarray

    @property
    def euler(self) -> np.ndarray:
        """Angles as files hold them: wrapped into [-pi, pi], so that the sign of the roll flips at will."""
        return Rotation.from_quat(self.quaternions).as_euler("xyz")


class InMemory(Pictures):
    """Pictures in an array, or in a list when their sizes differ."""

    def __init__(self, images: Sequence[np.ndarray]) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def read(self, indices: np.ndarray) -> Iterable[np.ndarray]:
        return (self.images[index] for index in indices)


def make_truth(seed: int = 0, length: int = 36, rate: float = RATE) -> Truth:
    """An arm that moves over a table in fits and starts, its gripper pointing down, closing half-way."""
    rng = np.random.default_rng(seed)
    time = np.arange(length) / rate
    goals = rng.uniform([0.4, -0.2, 0.05], [0.65, 0.2, 0.3], (5, 3))
    turns = rng.uniform(-0.5, 0.5, 5)
    leg = np.linspace(0, 3.999, length)
    smooth = (lambda part: part * part * (3 - 2 * part))(leg % 1.0)
    index = leg.astype(int)
    positions = goals[index] + smooth[:, None] * (goals[index + 1] - goals[index])
    yaw = turns[index] + smooth * (turns[index + 1] - turns[index])
    roll = np.pi + 0.03 * np.sin(7 * time + seed)
    quaternions = Rotation.from_euler("xyz", np.stack([roll, 0.02 * np.cos(5 * time), yaw], axis=1)).as_quat()
    closedness = np.clip((leg - 1.5) * 2, 0, 1) * 0.9
    stamps = START + 100 * seed + time
    images = np.stack([draw(*each) for each in zip(positions, yaw, closedness, strict=True)])
    return Truth(stamps, images, positions, quaternions, closedness)


def draw(position: np.ndarray, yaw: float, closedness: float) -> np.ndarray:
    """The scene: a brown table with a few things on it, and the arm's gripper above."""
    image = np.full((HEIGHT, WIDTH, 3), (150, 115, 80), np.uint8)
    image[:24] = (95, 90, 85)
    rng = np.random.default_rng(99)
    for _ in range(9):
        x, y, w, h = rng.integers((2, 26, 6, 5), (110, 84, 18, 12))
        image[y : y + h, x : x + w] = rng.integers((110, 60, 30), (230, 160, 110))
    centre = np.array([64 + 180 * position[1], 20 + 130 * (position[0] - 0.4) + 80 * (0.3 - position[2])])
    hand = cv2.boxPoints(((float(centre[0]), float(centre[1])), (26.0, 10.0), float(np.rad2deg(yaw))))
    cv2.fillConvexPoly(image, hand.round(2).astype(np.int32), (235, 235, 235), cv2.LINE_AA)
    for side in (-1, 1):
        x = round(centre[0] + side * (3 + 8 * (1 - closedness)))
        cv2.rectangle(image, (x - 1, int(centre[1])), (x + 1, int(centre[1]) + 12), (30, 30, 30), -1)
    return image


def recording(truth: Truth, name: str = "episode", mapping: DataMapping = IN_MEMORY, **changes: Any) -> Recording:
    """The episode as a reader would hand it over."""
    made = Recording(
        name=name,
        stamps=truth.stamps,
        pictures=InMemory(truth.images),
        poses=RawPoses(truth.stamps, truth.positions, truth.quaternions),
        gripper=RawGripper(truth.stamps, truth.closedness),
        mapping=mapping,
    )
    return replace(made, **changes)


def write_rosbag2(folder: Path, truths: Sequence[Truth]) -> Path:
    """One MCAP bag an episode, by the writer of the package."""
    writer = Rosbag2Writer(folder, RATE)
    for number, truth in enumerate(truths):
        writer.write(Episode(recording(truth, f"episode_{number}")))
    writer.close()
    return folder


def write_sqlite(folder: Path, truths: Sequence[Truth]) -> Path:
    """The same messages by the writer of rosbags, as SQLite."""
    from vjepa_mpc.data.bags.bag import Bag, files_of

    source, types = folder.with_name("as_mcap"), types_with()
    write_rosbag2(source, truths)
    folder.mkdir()
    for files in files_of(source):
        bag = Bag(files)
        with rosbags.rosbag2.Writer(folder / files[0].parent.name, version=9) as writer:
            topics = {name: writer.add_connection(name, kind, typestore=types) for name, kind in bag.types.items()}
            for message in bag.messages(list(topics)):
                writer.write(topics[message.topic], message.stamp, message.data)
    return folder


def write_robomimic(path: Path, truths: Sequence[Truth]) -> Path:
    """Fingers as robosuite has them: the second counts downwards."""
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        data.attrs["env_args"] = json.dumps({"env_kwargs": {"control_freq": RATE}})
        for number, truth in enumerate(truths):
            obs = data.create_group(f"demo_{number}").create_group("obs")
            finger = 0.04 * (1 - truth.closedness)
            obs["agentview_image"] = truth.images
            obs["robot0_eef_pos"] = truth.positions
            obs["robot0_eef_quat"] = truth.quaternions * np.sign(truth.quaternions[:, 3:])
            obs["robot0_gripper_qpos"] = np.stack([finger, -finger], axis=1)
    return path


def write_droid(folder: Path, truths: Sequence[Truth]) -> Path:
    """MP4s that say 60 pictures a second."""
    for number, truth in enumerate(truths):
        episode = folder / "success" / "2025-10-09" / f"Thu_Oct__9_08_{number:02d}_00_2025"
        video = episode / "recordings" / "MP4" / "24400334.mp4"
        write_video(video, truth.images, 60)
        (episode / f"metadata_{number}.json").write_text(json.dumps({"left_mp4_path": "LAB/x/24400334.mp4"}))
        with h5py.File(episode / "trajectory.h5", "w") as file:
            file["observation/robot_state/cartesian_position"] = np.concatenate([truth.positions, truth.euler], axis=1)
            file["observation/robot_state/gripper_position"] = truth.closedness
            stamps = (truth.stamps * 1e3).round().astype(np.int64)
            file["observation/timestamp/cameras/24400334_estimated_capture"] = stamps
    return folder


def write_lerobot_v21(folder: Path, truths: Sequence[Truth], codec: str = "libx264") -> Path:
    """A parquet and a video an episode; the gripper is 1 when open."""
    camera = "observation.images.front"
    names = ["x", "y", "z", "roll", "pitch", "yaw", "gripper_open"]
    info = {
        "codebase_version": "v2.1",
        "fps": RATE,
        "chunks_size": 1000,
        "total_episodes": len(truths),
        "data_path": "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
        "video_path": "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
        "features": {
            camera: {"dtype": "video", "shape": [HEIGHT, WIDTH, 3], "names": ["height", "width", "channels"]},
            "observation.state": {"dtype": "float32", "shape": [7], "names": {"axes": names}},
        },
    }
    (folder / "meta").mkdir(parents=True)
    (folder / "meta" / "info.json").write_text(json.dumps(info))
    lines = [json.dumps({"episode_index": number, "tasks": ["move"]}) for number in range(len(truths))]
    (folder / "meta" / "episodes.jsonl").write_text("\n".join(lines))
    for number, truth in enumerate(truths):
        state = np.concatenate([truth.positions, truth.euler, 1 - truth.closedness[:, None]], axis=1)
        rows = np.arange(len(state))
        table = {
            "observation.state": pyarrow.array(state.astype(np.float32).tolist(), pyarrow.list_(pyarrow.float32())),
            "timestamp": (rows / RATE).astype(np.float32),
            "frame_index": rows,
            "episode_index": np.full(len(rows), number),
        }
        file = folder / info["data_path"].format(episode_chunk=0, episode_index=number)
        file.parent.mkdir(parents=True, exist_ok=True)
        pyarrow.parquet.write_table(pyarrow.table(table), file)
        path = info["video_path"].format(episode_chunk=0, episode_index=number, video_key=camera)
        write_video(folder / path, truth.images, RATE, codec)
    return folder


def write_video(path: Path, images: np.ndarray, rate: float, codec: str = "libx264", **options: str) -> Path:
    """A video of pictures uint8 [T, H, W, 3]."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(rate).limit_denominator(1001), options=options)
        stream.width, stream.height, stream.pix_fmt = images.shape[2], images.shape[1], "yuv420p"
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path
