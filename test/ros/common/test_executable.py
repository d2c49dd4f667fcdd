"""A signal while modules are being imported ends a process in order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SLOW = 'print("importing", flush=True)\nimport time\ntime.sleep(60.0)\n'
FAST = "def main():\n    print('ended', end='')\n    return 3\n"


def start(folder: Path, module: str) -> subprocess.Popen[str]:
    (folder / "a_node.py").write_text(module)
    code = "from vjepa_mpc.ros.common.executable import end, load; end(load('a_node')())"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])}
    return subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_during_the_imports_ends_with_0_and_without_a_word(tmp_path: Path, number: int) -> None:
    with start(tmp_path, SLOW) as process:
        assert process.stdout is not None and process.stdout.readline() == "importing\n"
        process.send_signal(number)
        _, said = process.communicate(timeout=20.0)
        assert (process.returncode, said) == (0, "")


def test_what_main_returns_is_the_exit_status_and_nothing_printed_is_lost(tmp_path: Path) -> None:
    with start(tmp_path, FAST) as process:
        printed, _ = process.communicate(timeout=20.0)
        assert (process.returncode, printed) == (3, "ended")
