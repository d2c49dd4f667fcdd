"""A controller, and the world model if it needs one, as a node's settings ask for it; on one process or on several."""

from __future__ import annotations

import importlib
import inspect
import logging
import time
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np

from vjepa_mpc.controller.choices import CONTROLLERS, DEFAULT
from vjepa_mpc.controller.gripper import GripperSettings
from vjepa_mpc.controller.interface import Controller
from vjepa_mpc.controller.setup import Setup
from vjepa_mpc.geometry.limits import WorkspaceBox
from vjepa_mpc.options import check_options, group, option
from vjepa_mpc.planning import AgreementBounds, CEMConfig, Ranks, admit_quantised
from vjepa_mpc.registry import PartOptions, names_code
from vjepa_mpc.worldmodel import (
    QUANTISATIONS,
    Crop,
    VJEPAWorldModel,
    WorldModel,
    bundled_model_path,
    choose_device,
    compile_rollouts,
    load_world_model,
    quantise,
    resolve_dtype,
    try_world_model,
    tune_process,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ControllerChoice:
    """Which controller, and its own options.

    Attributes:
        options: an instance of the controller's ``Options``; None when it has none.

    Raises:
        PartError: there is no such controller, or the class is none; see :class:`Controller`.
    """

    controller: str = option(
        DEFAULT,
        "What proposes the actions. Parameters of the planner and of the world model have no effect on a controller "
        "that does not use them.",
        choices=lambda: CONTROLLERS.names,
        open_choices=True,
    )
    options: Any = group(PartOptions(CONTROLLERS, "controller"))

    def __post_init__(self) -> None:
        check_options(self)
        CONTROLLERS.part(self.controller)


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """The world model, and how it is used.

    Raises:
        ValueError: a value is out of range, or not among the choices.
    """

    checkpoint: str = option(
        "",
        "File of the world model: .safetensors, or .pt as published; or package.module:function, which returns one of "
        "your own; empty for the bundled model.",
    )
    device: str = option("auto", "PyTorch device of the world model: auto, cpu, cuda or cuda:N.")
    dtype: str = option(
        "auto",
        "Precision of the world model; auto takes what suits the device; int8 and fp8 round its weights, which the "
        "planner node does only if plans stay the same (see agreement.*).",
        choices=("auto", "float32", "float16", "bfloat16", *QUANTISATIONS),
    )
    compile: bool = option(
        False, "Use torch.compile on a GPU; a change of samples or rollout then costs minutes of compiling."
    )
    warm_up: bool = option(True, "Plan once when the node is configured, so that the first plan is not late.")
    crop: Crop = option(
        "square",
        "How camera and goal images are cropped: square as in the published notebook, droid as in training.",
        choices=get_args(Crop),
    )
    threads: int = option(
        0, "CPU threads of PyTorch; 0 for its own choice, which is 1 under torchrun.", low=0, high=1024
    )
    seed: int = option(0, "Seed of the planner's random samples.", low=0, high=2**31 - 1)

    def __post_init__(self) -> None:
        check_options(self)


def make_controller(
    chosen: ModelSettings,
    *,
    planner: CEMConfig,
    agreement: AgreementBounds,
    gripper: GripperSettings,
    action_rotation: np.ndarray,
    ranks: Ranks | None = None,
    controller: str = DEFAULT,
    options: Any = None,
    workspace: WorkspaceBox | None = None,
) -> Controller:
    """Make the controller; the world model is loaded, on all ranks, if the controller asks for it.

    Args:
        chosen: the world model.
        planner: how actions are searched for.
        agreement: what a quantised model has to satisfy; otherwise the exact one is used.
        gripper: how planned closedness becomes commands.
        action_rotation: [3, 3] from the axes of the model's actions to the robot's.
        ranks: the processes that share the planning.
        controller: which one; see :class:`ControllerChoice`.
        options: an instance of the controller's ``Options``; None for their defaults, or when it has none.
        workspace: box that the arm may move in.

    Raises:
        PartError: there is no such controller.
        CheckpointError: the file cannot be used.
        ValueError: there is no such device.
        RankLostError: a process that shares the planning is gone.
    """
    kind = CONTROLLERS.part(controller)
    if options is None and hasattr(kind, "Options"):
        options = kind.Options()
    setup = Setup(
        load_world_model=lambda: load_for_planning(chosen, planner, agreement, ranks),
        planner=planner,
        gripper=gripper,
        action_rotation=action_rotation,
        crop=chosen.crop,
        seed=chosen.seed,
        ranks=ranks,
        workspace=workspace,
    )
    made: Controller = kind.make(setup, options)
    return made


def load_for_planning(
    chosen: ModelSettings, planner: CEMConfig, agreement: AgreementBounds, ranks: Ranks | None = None
) -> WorldModel:
    """The world model as the planner node uses it, on all ranks: quantised only if plans stay the same.

    Raises:
        CheckpointError: the file cannot be used.
        ValueError: there is no such device.
        RankLostError: a process that shares the planning is gone.
    """
    logger.info("loading the world model %s", chosen.checkpoint or bundled_model_path())
    started = time.monotonic()
    model = exact = _load(chosen)
    if isinstance(exact, VJEPAWorldModel) and chosen.dtype in QUANTISATIONS:
        model = admit_quantised(exact, chosen.dtype, planner, agreement)
    if ranks is not None:
        same_for_all = chosen.dtype if model is not exact else str(exact.dtype).removeprefix("torch.")
        ranks.announce(replace(chosen, dtype=same_for_all))
        ranks.meet()  # loading may take longer than a rank may be silent in a plan
    if chosen.compile and isinstance(model, VJEPAWorldModel):
        compile_rollouts(model)
    logger.info("world model loaded in %.1f s", time.monotonic() - started)
    return model


def load_model(settings: ModelSettings) -> WorldModel:
    """Load a world model; a quantisation is taken as it is, without asking whether plans agree.

    Raises:
        CheckpointError: the file cannot be used.
        ValueError: there is no such device.
    """
    model = _load(settings)
    if not isinstance(model, VJEPAWorldModel):
        return model
    if settings.dtype in QUANTISATIONS:
        model = quantise(model, settings.dtype)
    if settings.compile:
        compile_rollouts(model)
    return model


def _load(settings: ModelSettings) -> WorldModel:
    """The checkpoint, not quantised, or a world model from outside."""
    tune_process(settings.threads)
    device = choose_device(settings.device)
    if names_code(settings.checkpoint):
        return _own_model(settings)
    dtype = "auto" if settings.dtype in QUANTISATIONS else settings.dtype
    return load_world_model(settings.checkpoint or bundled_model_path(), device, resolve_dtype(dtype, device))


def _own_model(settings: ModelSettings) -> WorldModel:
    """What the function that ``checkpoint`` names returns; it chooses device and dtype itself.

    Raises:
        ValueError: it cannot be imported, does not return a world model, or is to be quantised or compiled.
    """
    name = settings.checkpoint
    if settings.dtype in QUANTISATIONS or settings.compile:
        raise ValueError(
            f"checkpoint={name!r}: only files can be quantised or compiled; leave dtype and compile as they are"
        )
    module, _, function = name.partition(":")
    try:
        make = getattr(importlib.import_module(module), function)
    except ImportError as error:
        raise ValueError(
            f"checkpoint={name!r} cannot be imported ({error}): install its package, or put its folder on PYTHONPATH"
        ) from error
    except AttributeError as error:
        raise ValueError(f"checkpoint={name!r}: the module {module} has no {function}") from error
    if not _called_without_arguments(make):
        raise ValueError(f"checkpoint={name!r} has to be a function or class that is called without arguments")
    model: WorldModel = make()
    try:
        try_world_model(model)
    except TypeError as error:
        raise ValueError(f"checkpoint={name!r}: {error}") from error
    return model


def _called_without_arguments(make: Any) -> bool:
    try:
        inspect.signature(make).bind()
    except TypeError:
        return False
    except ValueError:  # written in C, without a signature
        pass
    return True
