"""`make demo`: a simulated Franka does what goal pictures show, planned by visual MPC.

Simulator and planner run as processes of their own and talk over DDS; the goal pictures, taken from a scripted
reference run with the same start, go in through the planner's service.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from vjepa_mpc.arguments import COUNT, SEED, Parser, local_path, real, whole
from vjepa_mpc.evaluation.arguments import add_task_argument
from vjepa_mpc.exit_status import ExitStatus
from vjepa_mpc.registry import PartError
from vjepa_mpc.ros.parameters.settings import EXECUTION_MODES
from vjepa_mpc.sim.tasks import TASKS
from vjepa_mpc.tools.demo.episodes import Demo
from vjepa_mpc.tools.demo.link import DemoLink, LinkError
from vjepa_mpc.tools.demo.nodes import ARMS, start_nodes
from vjepa_mpc.tools.demo.report import save_json, save_plot, success_rate, table
from vjepa_mpc.tools.demo.video import DemoVideo
from vjepa_mpc.tools.processes import DomainLease, NodeProcess, local_environment

DEFAULT_EPISODES = {"pick_place": 3}  # of eight sub-goals each
OTHER_EPISODES = 6
REQUIRED_RATE = 0.8


def parser() -> argparse.ArgumentParser:
    """The command line."""
    result = Parser(prog="demo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_task_argument(result, default="pick_place")
    result.add_argument(
        "--episodes", type=whole(1, COUNT), help=f"how many (default: {OTHER_EPISODES}, with pick_place 3)"
    )
    result.add_argument("--seed", type=whole(0, SEED), default=0, help="which starts and goals")
    result.add_argument("--arm", choices=ARMS, default="sim", help="what moves the simulated arm")
    result.add_argument(
        "--execution", choices=EXECUTION_MODES, default=EXECUTION_MODES[0], help="plan at rest or in motion"
    )
    result.add_argument("--record", action="store_true", help="record each episode, as a rosbag2 below --out")
    result.add_argument("--checkpoint", default="", help="world model (default: the bundled one)")
    result.add_argument(
        "--require", type=real(0.0, 1.0), default=REQUIRED_RATE, help="share that must succeed for exit status 0"
    )
    result.add_argument(
        "--out", type=local_path, default=Path("results/demo"), help="folder of video, plot and results.json"
    )
    result.add_argument("--domain", type=whole(0, 232), default=None, help="ROS domain id (default: a free one)")
    return result


def main(args: Sequence[str] | None = None) -> int:
    """Entry point; exit status 0 when enough episodes succeeded; 1 when not, or after an error; 130 on Ctrl-C."""
    command = parser()
    arguments = command.parse_args(args)
    try:
        TASKS.part(arguments.task)
    except PartError as error:
        command.error(str(error))
    name = arguments.task.rpartition(":")[2]  # of the files
    count = arguments.episodes or DEFAULT_EPISODES.get(arguments.task, OTHER_EPISODES)
    domain = arguments.domain if arguments.domain is not None else DomainLease().domain_id
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    print(f"{arguments.task}: {count} episodes, seed {arguments.seed}; the nodes are on ROS domain {domain}")
    os.environ.update(local_environment(domain))
    with ExitStack() as stack:
        parameters = {"execution": arguments.execution}
        if arguments.checkpoint:
            parameters["checkpoint"] = arguments.checkpoint
        nodes = start_nodes(stack, out, domain, arguments.arm, parameters, arguments.record)
        link = stack.enter_context(DemoLink(domain))
        video = DemoVideo(out / f"{name}.mp4")
        stack.callback(video.close)
        try:
            episodes = Demo(link, video, arguments.task, arguments.seed, count).run()
        except LinkError as error:
            return _give_up(str(error), nodes)
        except KeyboardInterrupt:
            print("\ninterrupted", file=sys.stderr)
            return ExitStatus.INTERRUPTED
    save_json(out / "results.json", arguments.task, arguments.seed, arguments.require, episodes)
    save_plot(out / f"{name}.png", arguments.task, episodes)
    rate = success_rate(episodes)
    print(f"\n{table(episodes)}\n")
    print(f"{rate:.0%} reached (required: {arguments.require:.0%}). Video, plot, results.json and logs: {out}/")
    return ExitStatus.DONE if rate >= arguments.require else ExitStatus.FAILED


def _give_up(problem: str, nodes: Sequence[NodeProcess]) -> int:
    print(f"\ndemo: {problem}", file=sys.stderr)
    for node in nodes:
        ended = "" if node.returncode is None else f" (ended with status {node.returncode})"
        tail = "\n  ".join(node.output().strip().splitlines()[-5:])
        print(f"{node.name}{ended}, {node.log}:\n  {tail}", file=sys.stderr)
    return ExitStatus.FAILED


if __name__ == "__main__":
    sys.exit(main())
