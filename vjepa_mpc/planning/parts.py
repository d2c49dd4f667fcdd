"""How the planner's parts are made: objectives, samplers, update rules and optimisers.

A part is a class in a file of its own. What it can be told by its user is a frozen dataclass ``Options`` inside the
class, which its constructor then takes; a part without options takes nothing. What it must know of the planner that it
is made for comes in a :class:`Setup`, to its method ``prepare``, which a part may leave out::

    class Effort(Objective):
        @dataclass(frozen=True, kw_only=True)
        class Options:
            weight: float = option(1.0, "Energy of a metre.", low=0.0, high=1000.0)

        def __init__(self, options: Options) -> None: ...
        def prepare(self, setup: Setup) -> None: ...
        def __call__(self, predicted: Predicted, goal: Tensor) -> Tensor: ...
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from vjepa_mpc.registry import Registry
from vjepa_mpc.worldmodel.preprocess import Crop


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What a part may know of the planner that it is made for.

    Attributes:
        horizon: steps that are planned ahead (H).
        samples: candidates drawn per iteration, at most (S).
        generator: source of random numbers, on ``device``.
        device: where the world model computes.
        tokens_per_frame: patches of a latent (N), row by row of the picture.
        embed_dim: features of a patch (D).
        crop: how pictures are cut before the world model sees them.
        options: the options of parts, by the part's name; those that are missing have their defaults.
    """

    horizon: int
    samples: int
    generator: torch.Generator
    device: torch.device
    tokens_per_frame: int
    embed_dim: int
    crop: Crop = "square"
    options: Mapping[str, object] = field(default_factory=dict)


def make_part(registry: Registry[Any], name: str, setup: Setup) -> Any:
    """The part of this name, with its options, ready to work.

    Raises:
        PartError: there is no such part, or it does not satisfy the interface.
        ValueError: its options are another part's, or cannot be used.
    """
    kind = registry.part(name)
    if not isinstance(kind, type):
        return prepared(kind, setup)
    options_kind = getattr(kind, "Options", None)
    if options_kind is None:
        return prepared(kind(), setup)
    options = setup.options.get(name) or options_kind()
    if not isinstance(options, options_kind):
        raise ValueError(
            f"the options of the {registry.what} {name!r} are a {type(options).__qualname__}: "
            f"give a {options_kind.__qualname__}"
        )
    return prepared(kind(options), setup)


def prepared(part: Any, setup: Setup) -> Any:
    """The part, after it was told what it is made for."""
    prepare = getattr(part, "prepare", None)
    if prepare is not None:
        prepare(setup)
    return part
