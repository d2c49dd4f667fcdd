"""The node on several processes: rank 0 is the node, the others plan along.

Started as ``torchrun --nproc-per-node N --no-python planner_node --ros-args …``; without torchrun there is one process.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import torch
import torch.distributed as dist

from vjepa_mpc.controller.assembly import load_model
from vjepa_mpc.planning import RankLostError, Ranks, follow

logger = logging.getLogger(__name__)


@contextmanager
def joined() -> Iterator[Ranks | None]:
    """This process's place among those that torchrun started; None when it is alone. At the end, rank 0 ends all."""
    if int(os.environ.get("WORLD_SIZE", 1)) == 1:
        yield None
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        # Otherwise NCCL's watchdog thread ends this process when another one is gone, before the arm is at rest. So the
        # planning thread waits for its peers itself, and a lost one is an exception there.
        os.environ.setdefault("TORCH_NCCL_BLOCKING_WAIT", "1")
    dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
    ranks = Ranks()
    try:
        yield ranks
    finally:
        with suppress(RankLostError):  # there is nobody left to tell
            if ranks.leads:
                ranks.announce(None)
        dist.destroy_process_group()


def plan_along(ranks: Ranks) -> int:
    """Load the world models that rank 0 loads and plan along until it ends; returns the exit status."""
    logging.basicConfig(level=logging.INFO, format=f"[%(levelname)s] [rank {ranks.rank}]: %(message)s")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C reaches all processes; rank 0 stops the arm, then us
    try:
        for _ in follow(ranks, load_model):
            pass
    except RankLostError as error:
        logger.error("%s", error)
        return 1
    return 0
