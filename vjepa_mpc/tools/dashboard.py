"""`make dashboard`: a simulated arm, a planner and the operator's page, with goals to try; until Ctrl-C."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from vjepa_mpc.arguments import SEED, Parser, local_path, whole
from vjepa_mpc.evaluation.arguments import add_task_argument
from vjepa_mpc.exit_status import ExitStatus
from vjepa_mpc.goals.folder import PictureGoal, write_goals
from vjepa_mpc.images import encode_png
from vjepa_mpc.registry import PartError
from vjepa_mpc.sim import FrankaSim
from vjepa_mpc.sim.tasks import TASKS, Task
from vjepa_mpc.tools.demo.nodes import share_folder
from vjepa_mpc.tools.processes import DomainLease, NodeProcess

LOOK_PERIOD = 0.5  # seconds


def parser() -> Parser:
    """The command line."""
    result = Parser(prog="dashboard", description=__doc__)
    add_task_argument(result, default="pick_place")
    result.add_argument("--seed", type=whole(0, SEED), default=0, help="which start and goals")
    result.add_argument("--port", type=whole(0, 65535), default=8080, help="of the page")
    out = "folder of the sequences of goals and of the logs"
    result.add_argument("--out", type=local_path, default=Path("results/dashboard"), help=out)
    result.add_argument("--domain", type=whole(0, 232), default=None, help="ROS domain id (default: a free one)")
    return result


def main(args: Sequence[str] | None = None) -> int:
    """Entry point; exit status 0 on Ctrl-C, 1 when a node ended by itself."""
    command = parser()
    arguments = command.parse_args(args)
    try:
        kind = TASKS.part(arguments.task)
    except PartError as error:
        command.error(str(error))
    task: Task = kind.sample(np.random.default_rng(arguments.seed))
    out: Path = arguments.out.absolute()
    name = arguments.task.rpartition(":")[2]
    write_goals(out / "goals" / name, sequence(task))
    domain = arguments.domain if arguments.domain is not None else DomainLease().domain_id
    print(f"load the sequence {name!r} on the page and start it; the nodes are on ROS domain {domain}; Ctrl-C ends all")
    try:
        with ExitStack() as stack:
            return watch(start(stack, task, out, domain, arguments.port))
    except KeyboardInterrupt:
        return ExitStatus.DONE


def sequence(task: Task) -> list[PictureGoal]:
    """A task's sub-goals, with the pictures of a scripted run from the same start."""
    with FrankaSim() as sim:
        return [PictureGoal(goal.name, encode_png(goal.image), goal.steps) for goal in task.goals(sim)]


def start(stack: ExitStack, task: Task, out: Path, domain: int, port: int) -> list[NodeProcess]:
    """Simulator, planner and page; the stack ends them."""
    config = share_folder() / "config"
    scene = {
        "start_pose": _list(task.start_pose),
        "block_position": _list(task.block_position),
        "block_yaw": str(float(task.block_yaw)),
    }
    page = {"port": str(port), "goals_folder": str(out / "goals")}
    planner = [config / "planner.yaml", config / "robots/sim.yaml"]
    return [
        stack.enter_context(NodeProcess(name, out / f"{name}.log", domain, params_files=files, parameters=parameters))
        for name, files, parameters in (
            ("sim_node", [config / "sim.yaml"], scene),
            ("planner_node", planner, {}),
            ("dashboard", [], page),
        )
    ]


def watch(nodes: Sequence[NodeProcess]) -> int:
    """Print the page's address when it is there; return when a node has ended, with status 1 and its last words."""
    told = False
    while all(node.returncode is None for node in nodes):
        address = "" if told else next((line for line in nodes[-1].output().splitlines() if "http://" in line), "")
        if address:
            print(address, flush=True)
            told = True
        time.sleep(LOOK_PERIOD)
    ended = next(node for node in nodes if node.returncode is not None)
    tail = "\n  ".join(ended.output().strip().splitlines()[-5:])
    print(f"{ended.name} ended with status {ended.returncode}, {ended.log}:\n  {tail}", file=sys.stderr)
    return ExitStatus.FAILED


def _list(values: np.ndarray) -> str:
    return f"[{', '.join(str(float(value)) for value in values)}]"


if __name__ == "__main__":
    sys.exit(main())
