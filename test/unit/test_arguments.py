"""Command lines: numbers are checked as they are read, and what is wrong is one line."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from support.source import ROOT, python_files, tree
from vjepa_mpc.arguments import Parser, local_path, real, whole
from vjepa_mpc.tools import cli

FOLDERS = ("vjepa_mpc", "benchmarks", "scripts", "examples")


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    parser = Parser(prog="command")
    parser.add_argument("--steps", type=whole(1, 1000))
    parser.add_argument("--timeout", type=real(0.0, 60.0))
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(arguments)
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.parametrize("text", ["0", "99999999999", "1.5", "nan", "eight", ""])
def test_a_whole_number_out_of_range_is_one_line(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = refusal(capsys, "--steps", text)
    assert said.startswith(f"command: argument --steps: {text}: give a whole number from 1 to 1000; --help lists")


@pytest.mark.parametrize("text", ["nan", "inf", "-0.1", "61", "soon"])
def test_a_number_out_of_range_is_one_line(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"argument --timeout: {text}: give a number from 0 to 60;" in refusal(capsys, f"--timeout={text}")


def test_home_is_expanded_where_the_shell_leaves_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    parser = Parser()
    parser.add_argument("--out", type=local_path)
    assert parser.parse_args(["--out=~/results"]).out == tmp_path / "results"
    with pytest.raises(SystemExit):
        parser.parse_args(["--out=~nobody-of-this-name/results"])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["evaluate", "--task", "reach", "--episodes", "0"], "--episodes: 0: give a whole number from 1"),
        (["evaluate", "--task", "reach", "--seed", "-1"], "--seed: -1: give"),
        (["evaluate", "--task", "reach", "--require", "nan"], "--require: nan: give a number from 0 to 1"),
        (["compare-endings", "--episodes", "1e9"], "--episodes: 1e9: give"),
        (["calibrate-sim", "--angles", "0", "nan"], "--angles: nan: give a number from -180 to 180"),
        (["train", "--out", "here", "--threads", "-1"], "--threads: -1: give"),
        (["post-train", "--save-every", "0"], "--save-every: 0: give"),
        (["convert", "in.pt", "--seconds-a-step", "nan", "out.safetensors"], "--seconds-a-step: nan: give"),
        (["convert", "in.pt", "--img-size", "-5", "out.safetensors"], "--img-size: -5: give"),
        (["data", "convert", "in", "out", "--format", "lerobot", "--fps", "inf"], "--fps: inf: give"),
        (["nothing"], "invalid choice: 'nothing'"),
    ],
)
def test_the_commands_refuse_such_numbers(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("vjepa-mpc") and says in line


def test_no_command_line_takes_numbers_or_paths_unchecked() -> None:
    """int and float take any number, float takes NaN, and Path leaves ~ as it is."""
    unchecked = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in python_files(*FOLDERS)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "add_argument"
        for keyword in node.keywords
        if keyword.arg == "type" and getattr(keyword.value, "id", "") in ("int", "float", "Path")
    ]
    assert not unchecked
