"""A run's settings, read from one YAML file and from ``--set name=value``."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import yaml

from vjepa_mpc.files import expanded
from vjepa_mpc.options import check_options, option
from vjepa_mpc.training.post_training.config import PostTrainingConfig, PostTrainingError
from vjepa_mpc.training.recipe_file import read_settings, read_yaml, recipes_folder
from vjepa_mpc.worldmodel.preprocess import Crop


@dataclass(frozen=True, kw_only=True)
class PredictorSizes:
    """A predictor that is trained from scratch; its width at both ends is the encoder's."""

    predictor_embed_dim: int = option(1024, "Features of a token.", low=1, high=1e5)
    depth: int = option(24, "Transformer blocks.", low=1, high=1000)
    num_heads: int = option(16, "Attention heads.", low=1, high=1000)
    mlp_ratio: float = option(4.0, "Width of the MLPs over that of the tokens.", low=0.1, high=100.0)

    def __post_init__(self) -> None:
        check_options(self, "predictor.")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a run learns from, how often it looks at held-out episodes, and how it steps (``post_training``)."""

    seconds_a_step: float = option(0.25, "Time between the frames of a clip.", unit="s", low=0.001, high=60.0)
    crop: str = option("droid", "How images are cropped; the node must crop in the same way.", choices=get_args(Crop))
    clip_frames: int = option(8, "Frames of a clip.", low=2, high=1000)
    batch_size: int = option(256, "Clips of a step, of all ranks together.", low=1, high=1e6)
    sampling: str = option(
        "episode",
        "An epoch of clips is one random clip of every episode, or every possible clip once.",
        choices=("episode", "window"),
    )
    held_out: float = option(0.1, "Share of the episodes that is never trained on.", low=0.0, high=0.9)
    held_out_clips: int = option(256, "Clips of them that are looked at.", low=1, high=1e6)
    evaluate_every: int = option(300, "Steps between looks at the held-out clips.", low=1, high=1e9)
    patience: int = option(0, "Looks without a better one that end the run; 0: never.", low=0, high=1e6)
    save_every: int = option(100, "Steps that a killed run loses at most.", low=1, high=1e9)
    cache_dtype: str = option("float16", "Number format of encoded frames on disk.", choices=("float16", "float32"))
    seed: int = option(0, "Seed of the split, of the order of clips and of new weights.", low=0, high=2**31 - 1)
    predictor: PredictorSizes = field(default_factory=PredictorSizes)
    post_training: PostTrainingConfig = field(default_factory=PostTrainingConfig)

    def __post_init__(self) -> None:
        check_options(self)

    def to_dict(self) -> dict[str, Any]:
        """The nested form that :func:`load_recipe` reads."""
        return dataclasses.asdict(self)


def recipe_path(name: str) -> Path:
    """A YAML file, or the bundled recipe of that name.

    Raises:
        PostTrainingError: neither is there; the message lists the bundled ones.
    """
    if (given := expanded(name)).is_file():
        return given
    folder = recipes_folder()
    prefix = "post_train_"
    path = folder / f"{prefix}{name}.yaml"
    if not path.is_file():
        bundled = sorted(file.stem.removeprefix(prefix) for file in folder.glob(f"{prefix}*.yaml"))
        raise PostTrainingError(f"recipe {name!r} is neither a file nor one of {', '.join(bundled)}")
    return path


def load_recipe(name: str, changes: Sequence[str] = ()) -> Recipe:
    """Read a recipe (see :func:`recipe_path`) and change settings by texts such as "post_training.lr=1e-4".

    Raises:
        PostTrainingError: a setting is unknown, of another type, or out of range.
        ValueError: the file is no YAML.
        OSError: the file cannot be read.
    """
    path = recipe_path(name)
    values = read_yaml(path)
    for change in changes:
        _change(values, change)
    try:
        return read_settings(Recipe, values)
    except ValueError as error:
        raise PostTrainingError(f"recipe {path}: {error}") from error


def _change(values: dict[str, Any], change: str) -> None:
    name, equals, text = change.partition("=")
    if not equals:
        raise PostTrainingError(f"{change!r}: write name=value, as in post_training.lr=1e-4")
    *sections, last = name.strip().split(".")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise PostTrainingError(f"{name}: {section} is a setting, not a section")
    try:
        values[last] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise PostTrainingError(f"--set {change}: {' '.join(str(error).split())}") from error
