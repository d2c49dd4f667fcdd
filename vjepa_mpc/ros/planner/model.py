"""From parameters to the controller with its world model, on this process or on several."""

from __future__ import annotations

import os
from dataclasses import replace

import torch

from vjepa_mpc.controller.visual_mpc import VisualMPC
from vjepa_mpc.planning import Ranks, admit_quantised
from vjepa_mpc.ros.parameters.settings import ModelSettings, Settings
from vjepa_mpc.worldmodel import (
    QUANTISATIONS,
    VJEPAWorldModel,
    bundled_model_path,
    compile_rollouts,
    load_world_model,
    quantise,
    resolve_dtype,
    tune_process,
)


def make_controller(settings: Settings, ranks: Ranks | None = None) -> VisualMPC:
    """Load the world model, on all ranks, and put the controller around it.

    Raises:
        CheckpointError: the file cannot be used.
        ValueError: there is no such device.
        RankLostError: a process that shares the planning is gone.
    """
    chosen = settings.model
    model = exact = _load(chosen)
    if chosen.dtype in QUANTISATIONS:
        model = admit_quantised(exact, chosen.dtype, settings.planner, settings.agreement)
    if ranks is not None:
        same_for_all = chosen.dtype if model is not exact else str(exact.dtype).removeprefix("torch.")
        ranks.announce(replace(chosen, dtype=same_for_all))
        ranks.meet()  # loading may take longer than a rank may be silent in a plan
    if chosen.compile:
        compile_rollouts(model)
    return VisualMPC(
        model,
        settings.planner,
        crop=chosen.crop,
        gripper=settings.gripper,
        action_rotation=settings.action_rotation,
        seed=chosen.seed,
        ranks=ranks,
    )


def load_as_announced(settings: ModelSettings) -> VJEPAWorldModel:
    """The same world model as rank 0 has made, with the settings that it announced."""
    model = _load(settings)
    if settings.dtype in QUANTISATIONS:
        model = quantise(model, settings.dtype)
    if settings.compile:
        compile_rollouts(model)
    return model


def _load(settings: ModelSettings) -> VJEPAWorldModel:
    """The checkpoint, not quantised."""
    tune_process(settings.threads)
    device = choose_device(settings.device)
    dtype = "auto" if settings.dtype in QUANTISATIONS else settings.dtype
    return load_world_model(settings.checkpoint or bundled_model_path(), device, resolve_dtype(dtype, device))


def choose_device(name: str) -> torch.device:
    """The PyTorch device of a name; ``auto`` is this rank's CUDA device, or the CPU where there is none.

    Raises:
        ValueError: no such device on this machine.
    """
    if name == "auto":
        name = f"cuda:{os.environ.get('LOCAL_RANK', 0)}" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"device={name!r} is none that PyTorch knows: use auto, cpu, cuda or cuda:N") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(f"device={name!r}: PyTorch sees {torch.cuda.device_count()} CUDA devices; use auto or cpu")
    return device
