"""What the benchmarks share: timing side by side, the record of the machine, JSON, Markdown and plots."""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from matplotlib.figure import Figure

from vjepa_mpc import exit_status
from vjepa_mpc.arguments import COUNT, SEED, Parser, local_path, whole
from vjepa_mpc.exit_status import ExitStatus, interruption
from vjepa_mpc.files import replacing, require_writable, write_text
from vjepa_mpc.worldmodel import (
    VJEPAWorldModel,
    bundled_model_path,
    choose_device,
    load_world_model,
    resolve_dtype,
    tune_process,
)

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "results" / "bench"

Row = Mapping[str, Any]
Measured = TypeVar("Measured")


def arguments(description: str, dtype: str = "auto") -> argparse.ArgumentParser:
    """The options that every benchmark has."""
    parser = Parser(description=description)
    parser.add_argument("--json", type=local_path, metavar="FILE", help="write the results here, with a table beside")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", default=dtype, help=f"auto, float32, bfloat16 or float16 (default: {dtype})")
    parser.add_argument("--threads", type=whole(0, COUNT), default=0, help="CPU threads (default: PyTorch's choice)")
    parser.add_argument("--seed", type=whole(0, SEED), default=0)
    parser.add_argument("--model", type=local_path, help="checkpoint where one is needed (default: the bundled model)")
    return parser


def run(benchmark: Callable[[], ExitStatus]) -> int:
    """Run a benchmark's ``main``; the exit status, with errors that a user can mend as one line."""
    return exit_status.run(Path(sys.argv[0]).stem, benchmark)


def begin(options: argparse.Namespace) -> torch.dtype:
    """Apply the options; returns the dtype.

    Raises:
        ValueError: there is no such device, too many threads, or the results cannot be written.
    """
    if options.json:
        for file in (options.json, *_beside(options.json)):
            require_writable(file, "--json")
    options.interrupted = False
    choose_device(options.device)
    options.started, options.load_before = time.monotonic(), os.getloadavg()[0]
    tune_process(options.threads)
    torch.manual_seed(options.seed)
    return resolve_dtype(options.dtype, options.device)


def load_model(options: argparse.Namespace, dtype: torch.dtype) -> VJEPAWorldModel:
    """The model that the options name."""
    return load_world_model(options.model or bundled_model_path(), options.device, dtype)


def until_interrupted(options: argparse.Namespace, measuring: Iterable[Measured]) -> Iterator[Measured]:
    """What is measured one after the other, until Ctrl-C; then nothing further is, and :func:`finish` says so."""
    if options.interrupted:
        return
    with interruption() as interrupted:
        yield from measuring
    options.interrupted = bool(interrupted)


def finish(
    options: argparse.Namespace,
    dtype: torch.dtype,
    title: str,
    rows: Sequence[Row],
    *,
    tables: Mapping[str, Sequence[Row]] | None = None,
    notes: Callable[[], Sequence[str]] = lambda: (),
    figure: Callable[[], Figure],
    **more: Any,
) -> ExitStatus:
    """Print the rows, further tables by their names, and notes; write them, and the plot, with the machine's record.

    After Ctrl-C the notes, which judge the whole, are left out, and so is the plot.

    Raises:
        WriteError: a file could not be written.
    """
    partial = options.interrupted
    if partial and not rows:
        return ExitStatus.INTERRUPTED
    tables, where = tables or {}, record(options, dtype)
    remarks = ["Interrupted: this is what was measured before."] if partial else list(notes())
    parts = [f"## {title}", markdown(rows)]
    parts += [f"### {name.capitalize()}\n\n{markdown(table)}" for name, table in tables.items() if table]
    text = "\n\n".join((*parts, *remarks, _sentence(where)))
    print(text)
    if options.json:
        content = {"title": title, "partial": partial, **where, **more, "rows": list(rows), **tables, "notes": remarks}
        write_text(options.json, json.dumps(content, indent=1) + "\n")
        table, image = _beside(options.json)
        if not partial:
            with replacing(image) as file:
                figure().savefig(file, dpi=150, format="png")
            text += f"\n\n![{title}]({image.name})"
        write_text(table, text + "\n\n")
    return ExitStatus.INTERRUPTED if partial else ExitStatus.DONE


def _beside(results: Path) -> tuple[Path, Path]:
    """The files of the table and of the plot."""
    return results.with_suffix(".md"), results.with_suffix(".png")


def record(options: argparse.Namespace, dtype: torch.dtype) -> dict[str, Any]:
    """Where and with what the figures were measured."""
    on_gpu = options.device.startswith("cuda")
    return {
        "device": torch.cuda.get_device_name(options.device) if on_gpu else _processor(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "commit": _commit(),
        "dtype": str(dtype).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "load": round(options.load_before, 2),  # before anything ran
        "seed": options.seed,
        "date": time.strftime("%Y-%m-%d"),
        "took_s": round(time.monotonic() - options.started, 1),
    }


def side_by_side(
    contenders: Mapping[str, Callable[[], Any]],
    repeats: int,
    device: str,
    *,
    warm: bool = False,
    limit: float = math.inf,
) -> dict[str, list[float]]:
    """Seconds of each contender, run in turns so that a change of load meets all of them.

    One untimed turn comes first, unless they are ``warm`` already. After two timed ones no other begins once they have
    taken ``limit`` seconds.
    """
    if not warm:
        for run in contenders.values():
            run()
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    started = time.perf_counter()
    for turn in range(repeats):
        if turn >= 2 and time.perf_counter() - started > limit:
            break
        for name, run in contenders.items():
            seconds[name].append(timed(run, device))
    return seconds


def row_or_failure(measure: Callable[[], Row], device: str) -> Row:
    """What is measured; on a GPU, where a variant may not fit or not run, why it failed instead."""
    try:
        return measure()
    except RuntimeError as error:
        if not device.startswith("cuda"):
            raise
        failure = {"failed": f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"}
    torch.cuda.empty_cache()  # only here, where the error's traceback no longer holds the tensors
    return failure


def timed(run: Callable[[], Any], device: str) -> float:
    """Seconds of one call, the device's work included."""
    synchronise(device)
    started = time.perf_counter()
    run()
    synchronise(device)
    return time.perf_counter() - started


def synchronise(device: str) -> None:
    """Wait for what the device still has to do."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """Median, least and most."""
    return {
        "median_s": _significant(statistics.median(seconds)),
        "min_s": _significant(min(seconds)),
        "max_s": _significant(max(seconds)),
    }


def met_or_missed(missed: Sequence[str]) -> str:
    """The verdict on requirements, given what was measured where one was missed."""
    return f"**Missed** ({'; '.join(missed)})." if missed else "Met."


def markdown(rows: Sequence[Row]) -> str:
    """Rows as a Markdown table; columns in the order in which they first appear."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [names, ["---"] * len(names), *([_cell(row.get(name, "")) for name in names] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value).replace("|", "\\|")


def _significant(value: float) -> float:
    return float(f"{value:.5g}")


def _sentence(where: Row) -> str:
    return (
        f"Measured on {where['device']}, {where['threads']} CPU threads, {where['dtype']}, PyTorch {where['torch']}, "
        f"commit {where['commit']}, seed {where['seed']}, {where['date']}, load average before {where['load']}, "
        f"in {where['took_s']:.0f} s."
    )


def _commit() -> str:
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
