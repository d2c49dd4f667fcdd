"""`vjepa-mpc`: the command line of the ROS-free part.

A sub-command's module is imported only when it is called, so that `vjepa-mpc --help` answers at once.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from types import ModuleType

from vjepa_mpc import __version__, exit_status
from vjepa_mpc.arguments import Parser
from vjepa_mpc.exit_status import ExitStatus
from vjepa_mpc.extras import install_hint

# Sub-command: (its module, which offers add_arguments(parser) and main(args) -> int; what it does).
COMMANDS = {
    "train": ("vjepa_mpc.training.train", "train a world model on data from the simulator"),
    "post-train": (
        "vjepa_mpc.training.post_training.command",
        "train the predictor of a world model on recordings of an arm",
    ),
    "train-decoder": (
        "vjepa_mpc.training.decoder.command",
        "train a small decoder that makes pictures of a model's latents, and say how far it is off",
    ),
    "judge": (
        "vjepa_mpc.judging.command",
        "judge a model on recordings of an arm, before it moves the arm",
    ),
    "replay": (
        "vjepa_mpc.replay.command",
        "plan recorded cycles again, as they were or with other parameters, another model, another goal",
    ),
    "landscape": (
        "vjepa_mpc.landscape.command",
        "draw the energy around a plan, with the planner's samples and what was chosen, and say whether it is flat",
    ),
    "subgoals": (
        "vjepa_mpc.demonstrations.command",
        "find the pictures of one demonstration that matter, and write them as a goal that set_goal takes",
    ),
    "evaluate": (
        "vjepa_mpc.evaluation.evaluate",
        "measure a model in the simulator on held-out seeds, beside baselines",
    ),
    "monitor": (
        "vjepa_mpc.tools.monitor",
        "learn how work usually goes, and notice what goes wrong in it",
    ),
    "calibrate-sim": (
        "vjepa_mpc.evaluation.calibrate_sim",
        "measure camera calibration in the simulator, turn by turn",
    ),
    "compare-endings": (
        "vjepa_mpc.evaluation.compare_endings",
        "compare sub-goals that end by their budgets with ones that end by energy and plateau",
    ),
    "data": ("vjepa_mpc.data.command", "look recordings of a robot over, or convert them"),
    "convert": ("vjepa_mpc.worldmodel.convert", "turn any checkpoint into one safetensors file with its provenance"),
    "inspect": ("vjepa_mpc.worldmodel.inspection", "print what a checkpoint holds and where it comes from"),
}


_EXTRAS = {
    "data": "data",
    "post-train": "post-train",
    "judge": "post-train",
    "replay": "data",
    "subgoals": "data",
    "landscape": "post-train",
    "monitor": "post-train",
}
_EXIT_STATUS = (
    "Exit status: 0 done; 1 it did not come out (a success rate below what is asked for, a full disk); 2 the command "
    "line, or a file that it names, cannot be used; 130 interrupted by Ctrl-C."
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a sub-command; its exit status, as :class:`~vjepa_mpc.exit_status.ExitStatus` has them."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    chosen = next((argument for argument in arguments if not argument.startswith("-")), None)
    name = f"vjepa-mpc {chosen}" if chosen in COMMANDS else "vjepa-mpc"
    return exit_status.run(name, lambda: _run(arguments, chosen))


def _run(arguments: Sequence[str], chosen: str | None) -> int:
    # The sub-command's own options are added only to the parser that will use them: adding them means importing it.
    parser = Parser(
        prog="vjepa-mpc",
        description="Visual model-predictive control with V-JEPA 2 world models: the tools outside ROS.",
        epilog=_EXIT_STATUS,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module_name, summary) in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        if name == chosen:
            module = _import(module_name, name)
            module.add_arguments(command)
            command.set_defaults(main=module.main)
    args = parser.parse_args(arguments)
    return int(args.main(args))


def _import(module_name: str, command: str) -> ModuleType:
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        print(f"vjepa-mpc {command}: {error}: {install_hint(_EXTRAS.get(command, 'sim'))}", file=sys.stderr)
        sys.exit(ExitStatus.MISUSED)


if __name__ == "__main__":
    sys.exit(main())
