"""Files that are written whole or not at all, and how commands end."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from vjepa_mpc.exit_status import ExitStatus, run
from vjepa_mpc.files import WriteError, replacing, require_writable, write_text


def test_a_file_takes_its_place_when_it_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    write_text(file, "old")
    with replacing(file) as partial:
        partial.write_text("new")
        assert file.read_text() == "old"
    assert file.read_text() == "new" and list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("failure", "becomes"),
    [(OSError("no room"), WriteError), (RuntimeError("no room"), WriteError), (KeyError("a mistake"), KeyError)],
)
def test_what_cannot_be_written_leaves_the_file_as_it_was(
    tmp_path: Path, failure: Exception, becomes: type[Exception]
) -> None:
    file = tmp_path / "a.txt"
    write_text(file, "old")
    with pytest.raises(becomes), replacing(file, RuntimeError) as partial:
        partial.write_text("half")
        raise failure
    assert file.read_text() == "old" and list(tmp_path.iterdir()) == [file]


def test_an_output_is_tried_without_leaving_anything(tmp_path: Path) -> None:
    require_writable(tmp_path / "new" / "a.json", "--json")
    assert list((tmp_path / "new").iterdir()) == []
    (tmp_path / "file").touch()
    for bad in (tmp_path, tmp_path / "file" / "a.json"):
        with pytest.raises(ValueError, match=r"--json .* cannot be written \(.*name another place"):
            require_writable(bad, "--json")


def test_a_link_stays_one_and_what_it_points_at_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    file, link = tmp_path / "store" / "a.txt", tmp_path / "link.txt"
    write_text(file, "old")
    link.symlink_to(file)
    require_writable(link, "--json")
    write_text(link, "new")
    assert link.is_symlink() and file.read_text() == "new" and list((tmp_path / "store").iterdir()) == [file]


def test_a_device_or_a_pipe_is_no_place_for_a_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(ValueError, match=r"--json .*pipe cannot be written \(it is a device or a pipe, not a file\)"):
        require_writable(pipe, "--json")
    with pytest.raises(WriteError, match="it is a device or a pipe"):
        write_text(pipe, "text")
    assert pipe.is_fifo() and list(tmp_path.iterdir()) == [pipe]


def _raises(error: BaseException) -> Callable[[], int]:
    def job() -> int:
        raise error

    return job


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ValueError("four is no number"), ExitStatus.MISUSED),
        (FileNotFoundError("no such file"), ExitStatus.MISUSED),
        (ImportError("pip install it"), ExitStatus.MISUSED),
        (WriteError("the disk is full"), ExitStatus.FAILED),
        (KeyboardInterrupt(), ExitStatus.INTERRUPTED),
    ],
)
def test_errors_are_one_line_on_stderr(
    error: BaseException, status: ExitStatus, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("tool", _raises(error)) == status
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("tool: ") and err.count("\n") == 1


def test_an_error_of_the_system_names_the_file_and_no_number(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("tool", lambda: len((tmp_path / "none").read_text())) == ExitStatus.MISUSED
    assert capsys.readouterr().err == f"tool: {tmp_path}/none: No such file or directory\n"


def test_what_a_job_returns_is_the_status_and_mistakes_are_not_hidden() -> None:
    assert run("tool", lambda: 1) == 1
    with pytest.raises(KeyError):
        run("tool", _raises(KeyError("a mistake in the code")))
