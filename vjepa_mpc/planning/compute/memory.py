"""How many candidates are predicted at once, and what to do when memory runs out."""

from __future__ import annotations

import logging
import math
from contextlib import suppress

import torch

from vjepa_mpc.planning.config import CEMConfig
from vjepa_mpc.worldmodel.interface import WorldModel

logger = logging.getLogger(__name__)

# Of a GPU's free memory. A recorded iteration keeps its tensors, while the first one of each plan needs its own.
_GPU_SHARE, _GPU_SHARE_WITH_GRAPH = 0.8, 0.4
_CPU_BYTES = 32e6  # per thread: about what its caches hold; larger micro-batches are slower, not faster


def choose_micro_batch(config: CEMConfig, world_model: WorldModel, candidates: int, observed_frames: int) -> int:
    """How many of the candidates are predicted at once: as set, or in as few equal parts as the memory admits."""
    if config.micro_batch is not None:
        return min(candidates, config.micro_batch)
    if config.memory_limit_mb is not None:
        free = config.memory_limit_mb * 1e6
    elif world_model.device.type == "cuda":
        share = _GPU_SHARE_WITH_GRAPH if config.cuda_graphs else _GPU_SHARE
        free = share * _free_gpu_bytes(world_model.device)
    else:
        free = _CPU_BYTES * torch.get_num_threads()
    most = max(1, int(free / world_model.rollout_bytes(config.rollout, observed_frames)))
    parts = math.ceil(candidates / most)
    return math.ceil(candidates / parts)


def out_of_memory(error: RuntimeError) -> bool:
    """Whether that is what the error means; libraries under PyTorch say it in words of their own."""
    signs = ("DefaultCPUAllocator", "CUBLAS_STATUS_ALLOC_FAILED", "CUDA error: out of memory")
    return isinstance(error, torch.cuda.OutOfMemoryError) or any(sign in str(error) for sign in signs)


def halved(micro_batch: int) -> int:
    """Half the micro-batch, after PyTorch has given back the memory that it keeps for later; logged."""
    if torch.cuda.is_available():
        with suppress(RuntimeError):  # PyTorch before 2.12 cannot after the recording of a CUDA graph has failed
            torch.cuda.empty_cache()
    half = micro_batch // 2
    logger.warning("no memory to predict %d candidates at once: going on with %d", micro_batch, half)
    return half


def _free_gpu_bytes(device: torch.device) -> int:
    """What the device has left, and what PyTorch keeps of earlier tensors for the next ones."""
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + kept
