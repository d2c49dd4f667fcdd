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

from vjepa_mpc.nodes.model import load_as_announced
from vjepa_mpc.nodes.parameters import ModelSettings
from vjepa_mpc.planning import RankLostError, Ranks, plan_along

logger = logging.getLogger(__name__)


@contextmanager
def joined() -> Iterator[Ranks | None]:
    """This process's place among those that torchrun started; None when it is alone. At the end, rank 0 ends all."""
    if int(os.environ.get("WORLD_SIZE", 1)) == 1:
        yield None
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
    ranks = Ranks()
    try:
        yield ranks
    finally:
        with suppress(RankLostError):  # there is nobody left to tell
            if ranks.leads:
                ranks.announce(None)
        dist.destroy_process_group()


def follow(ranks: Ranks) -> int:
    """Load the world models that rank 0 loads and plan along until it ends; returns the exit status."""
    logging.basicConfig(level=logging.INFO, format=f"[%(levelname)s] [rank {ranks.rank}]: %(message)s")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C reaches all processes; rank 0 stops the arm, then us
    model = None
    try:
        while (request := ranks.await_request()) is not None:
            if isinstance(request, ModelSettings):
                model = load_as_announced(request)
                ranks.meet()
            else:
                plan_along(model, request, ranks)
    except RankLostError as error:
        logger.error("%s", error)
        return 1
    return 0
