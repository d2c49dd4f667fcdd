"""``vjepa-mpc data inspect PATH`` and ``vjepa-mpc data convert IN OUT``: recordings on the command line."""

from __future__ import annotations

import argparse
import json
import sys

from vjepa_mpc.arguments import COUNT, local_path, real, whole
from vjepa_mpc.data.convert import convert
from vjepa_mpc.data.dataset import MAX_BAD, Dataset, open_dataset
from vjepa_mpc.data.errors import DataError, warnings_as_lines
from vjepa_mpc.data.inspection import as_text, inspect
from vjepa_mpc.data.sheet import write_sheet
from vjepa_mpc.data.writers import WRITERS
from vjepa_mpc.files import require_writable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sub-commands and their arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    looking = actions.add_parser("inspect", help="look recordings over: table, contact sheet, and what looks wrong")
    _add_input(looking)
    looking.add_argument("--json", action="store_true", help="print all of it as JSON")
    looking.add_argument("--sheet", type=local_path, metavar="PNG", help="write a contact sheet of the episodes")
    converting = actions.add_parser("convert", help="write recordings in another format")
    _add_input(converting)
    converting.add_argument("output", type=local_path, help="folder to make")
    converting.add_argument("--format", choices=WRITERS.names, required=True, help="format to write")
    converting.add_argument(
        "--fps", type=real(0.1, 1000.0), help="pictures a second, for LeRobot; by default as recorded"
    )


def main(args: argparse.Namespace) -> int:
    """Run the sub-command; its exit status: 0, or 2 when the recordings cannot be used."""
    action = {"inspect": _inspect, "convert": _convert}[args.action]
    try:
        with warnings_as_lines("data"):
            return action(args, open_dataset(args.path, args.mapping, max_bad=args.max_bad))
    except DataError as error:
        print(f"data {args.action}: {error}", file=sys.stderr)
        return 2


def _add_input(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", type=local_path, help="file or folder of recordings")
    parser.add_argument(
        "--mapping", type=local_path, metavar="YAML", help="what is where in them: see docs/datasets.md"
    )
    parser.add_argument("--max-bad", type=whole(0, COUNT), default=MAX_BAD, help="so many episodes may be unusable")


def _inspect(args: argparse.Namespace, dataset: Dataset) -> int:
    if args.sheet is not None:
        require_writable(args.sheet, "--sheet")
    inspection = inspect(dataset)
    print(json.dumps(inspection.as_dict(), indent=2) if args.json else as_text(inspection))
    if args.sheet is not None:
        rows = write_sheet(dataset, args.sheet)
        print(f"contact sheet of {rows} episode(s): {args.sheet}", file=sys.stderr)
    return 0


def _convert(args: argparse.Namespace, dataset: Dataset) -> int:
    count = convert(dataset, args.output, args.format, args.fps)
    left_out = f", {len(dataset.skipped)} skipped" if dataset.skipped else ""
    print(f"{args.output}: {count} episode(s) as {args.format}{left_out}")
    return 0
