"""From parameters to the controller with its world model."""

from __future__ import annotations

import torch

from vjepa_mpc.control.mpc import VisualMPC
from vjepa_mpc.nodes.parameters import Settings
from vjepa_mpc.worldmodel import (
    bundled_model_path,
    keep_freed_memory,
    load_world_model,
    resolve_dtype,
    set_cpu_threads,
)


def make_controller(settings: Settings) -> VisualMPC:
    """Load the world model and put the controller around it.

    Raises:
        CheckpointError: the file cannot be used.
        ValueError: there is no such device.
    """
    model = settings.model
    keep_freed_memory()
    set_cpu_threads(model.threads)
    device = choose_device(model.device)
    path = model.checkpoint or bundled_model_path()
    return VisualMPC(
        load_world_model(path, device=device, dtype=resolve_dtype(model.dtype, device)),
        settings.planner,
        crop=model.crop,
        gripper=settings.gripper,
        action_rotation=settings.action_rotation,
        seed=model.seed,
    )


def choose_device(name: str) -> torch.device:
    """The PyTorch device of a name; ``auto`` is the first CUDA device, or the CPU where there is none.

    Raises:
        ValueError: no such device on this machine.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"device={name!r} is none that PyTorch knows: use auto, cpu, cuda or cuda:N") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(f"device={name!r}: PyTorch sees {torch.cuda.device_count()} CUDA devices; use auto or cpu")
    return device
