"""Files that are written whole or not at all, outputs that are tried before the work that fills them, and ``~``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class WriteError(OSError):
    """A file could not be written; what was there before is still there. The message says why."""


def expanded(path: str | os.PathLike[str]) -> Path:
    """The path with ``~`` as the home folder: a shell does not do that after ``:=`` or ``=``, nor in a file.

    Raises:
        ValueError: there is no such user.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ValueError(f"{path}: ~ stands for no home folder here: give the whole path") from error


@contextmanager
def replacing(file: Path, *failures: type[Exception]) -> Iterator[Path]:
    """A path to write to, which takes the file's place when the block ends well; else nothing of it is left.

    Args:
        file: to write; its folder exists. A link stays one: what it points at is replaced.
        failures: exceptions other than OSError by which the block says that it could not write.

    Raises:
        WriteError: it could not be written, or lies in a folder that cannot.
    """
    target = Path(os.path.realpath(file))
    partial = _partial(target)
    try:
        _require_replaceable(target)
        yield partial
        with partial.open("rb+") as written:
            os.fsync(written.fileno())  # or a power cut might leave the new name without the contents
        partial.replace(target)
    except Exception as error:
        if not isinstance(error, (OSError, *failures)):
            raise
        raise WriteError(f"{file} could not be written ({error}){_kept(file)}") from error
    finally:
        partial.unlink(missing_ok=True)


def _partial(target: Path) -> Path:
    """What a file is called while it is written. Only one process at a time may write it."""
    return target.with_name(f"{target.name}.partial")


def _require_replaceable(target: Path) -> None:
    """Refuse what a file cannot take the place of: as root, one would replace even /dev/null."""
    if target.is_dir():
        raise IsADirectoryError("it is a folder")
    if target.exists() and not target.is_file():
        raise OSError("it is a device or a pipe, not a file")


def _kept(file: Path) -> str:
    return "; what was there before is untouched" if file.is_file() else ""


def write_text(file: Path, text: str) -> None:
    """Write a text file whole or not at all.

    Raises:
        WriteError: it could not be written.
    """
    with replacing(file) as partial:
        partial.write_text(text, encoding="utf-8")


def require_writable(file: Path, option: str) -> None:
    """Try an output before the work that fills it: make its folder, and see that a file can be written there.

    Args:
        file: that will be written.
        option: that named it, for the message.

    Raises:
        ValueError: it cannot be written.
    """
    target = Path(os.path.realpath(file))
    partial = _partial(target)
    try:
        _require_replaceable(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial.touch()
        partial.unlink()
        if target.exists() and not os.access(target, os.W_OK):
            raise PermissionError("the file is write-protected")
    except OSError as error:
        why = error.strerror or str(error)
        raise ValueError(f"{option} {file} cannot be written ({why}): name another place") from error
