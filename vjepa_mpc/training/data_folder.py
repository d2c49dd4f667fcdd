"""Where the data of a training come from: ``data.json`` in their folder, checked before anything is trained on them.

The simulator's say ``{"origin": "simulator", "seed": 0, "shard_episodes": 64, "image_size": 128, "look_share": 0.0}``.
Data of one's own say what they are in a few words, as in ``{"origin": "our arm, May 2026"}``; they are never added to.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from vjepa_mpc.files import write_text
from vjepa_mpc.training.config import DataConfig
from vjepa_mpc.training.dataset import present_shards, shard_folder

ORIGIN_FILE = "data.json"
SIMULATOR = "simulator"


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What ``data.json`` says.

    Attributes:
        origin: "simulator", or in the words of who recorded them.
        seed, shard_episodes, image_size: the simulator's settings; None for other data.
        look_share: the share of the simulator's episodes that are seen in a look of their own.
    """

    origin: str
    seed: int | None = None
    shard_episodes: int | None = None
    image_size: int | None = None
    look_share: float = 0.0

    @property
    def simulated(self) -> bool:
        """Whether this package's simulator made them, and can make more."""
        return self.origin == SIMULATOR

    def __str__(self) -> str:
        if not self.simulated:
            return f"not simulated: {self.origin}"
        looks = f", {100 * self.look_share:g} % in looks of their own" if self.look_share else ""
        return f"from the simulator, seed {self.seed}{looks}"


def open_folder(folder: Path, config: DataConfig, image_size: int, shards: tuple[int, int]) -> Origin:
    """Make the folder of a recipe's data, or see that what lies in it is what the recipe says.

    Args:
        folder: of the data.
        config: the recipe's section ``data``.
        image_size: side of the images in pixels.
        shards: how many are to validate and to train on.

    Raises:
        ValueError: the data are of other settings, of an origin that nobody has written down, or too few to go on with.
        OSError: the folder cannot be made.
    """
    wanted = Origin(
        origin=SIMULATOR,
        seed=config.seed,
        shard_episodes=config.shard_episodes,
        image_size=image_size,
        look_share=config.look_share,
    )
    file, present = folder / ORIGIN_FILE, present_shards(folder)
    if not file.is_file():
        if present:
            raise ValueError(_unknown_origin(folder, wanted))
        folder.mkdir(parents=True, exist_ok=True)
        write_text(file, json.dumps(asdict(wanted)) + "\n")
        return wanted
    found = _read(file)
    if not found.simulated:
        _require_shards(folder, config, present, shards)
        return found
    differing = [name for name, value in asdict(wanted).items() if getattr(found, name) != value]
    if differing:
        details = "; ".join(f"{name} {getattr(found, name)}, not {getattr(wanted, name)}" for name in differing)
        raise ValueError(
            f"{folder} holds data of other settings than the recipe's ({details}): give another folder as --data, or "
            "the recipe that the data were made with"
        )
    return found


def _read(file: Path) -> Origin:
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        found = Origin(**values)
    except (ValueError, TypeError) as error:
        raise ValueError(f'{file} cannot be read ({error}): write {{"origin": "what the data are"}}') from error
    if not isinstance(found.origin, str) or not found.origin.strip():
        raise ValueError(f"{file}: origin={found.origin!r}: write in a few words what the data are")
    return found


def _unknown_origin(folder: Path, wanted: Origin) -> str:
    return (
        f"{folder} holds shards, and no {ORIGIN_FILE} that says where they come from. For data of your own write there "
        f'{{"origin": "what they are"}}; for the simulator\'s, the settings that they were made with, such as '
        f"{json.dumps(asdict(wanted))}"
    )


def _require_shards(folder: Path, config: DataConfig, present: list[int], shards: tuple[int, int]) -> None:
    validation, training = shards
    missing = sorted(set(range(validation + training)) - set(present))
    if missing:
        raise ValueError(
            f"{folder} lacks {shard_folder(folder, missing[0]).name} and holds {len(present)} shards; the recipe asks "
            f"for {validation} to validate on and {training} to train on (data.validation_episodes="
            f"{config.validation_episodes}, data.episodes={config.episodes}, data.shard_episodes="
            f"{config.shard_episodes}). The simulator adds nothing to data of your own: lower these numbers, "
            "or add shards"
        )
