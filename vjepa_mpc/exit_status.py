"""How commands end: one convention of exit statuses, and expected errors as one line on standard error."""

from __future__ import annotations

import enum
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from vjepa_mpc.files import WriteError


class ExitStatus(enum.IntEnum):
    """What the exit status of every command and node says."""

    DONE = 0
    """It did what it was asked to; of a node: a signal ended it in order."""
    FAILED = 1
    """It was tried and did not come out: too low a success rate, no answer, a full disk."""
    MISUSED = 2
    """The command line, or a file that it names, cannot be used. Nothing was changed."""
    INTERRUPTED = 130
    """Ctrl-C ended it before it was done."""


@contextmanager
def interruption() -> Iterator[list[str]]:
    """A block that Ctrl-C ends early; the list is empty unless it did."""
    happened: list[str] = []
    try:
        yield happened
    except KeyboardInterrupt:
        happened.append("Ctrl-C")
        print("interrupted: what is done so far follows", file=sys.stderr)


def run(name: str, job: Callable[[], int]) -> int:
    """Run a command's job; the exit status. Errors that a user can mend become one line that begins with the name."""
    try:
        return int(job())
    except BrokenPipeError:  # whoever read the output has gone, as after `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter complains at its end
        return ExitStatus.FAILED
    except WriteError as error:
        return _say(name, error, ExitStatus.FAILED)
    except (OSError, ValueError, ImportError) as error:  # the last: a package of an extra that is not installed
        return _say(name, _in_words(error), ExitStatus.MISUSED)
    except KeyboardInterrupt:
        return _say(name, "interrupted", ExitStatus.INTERRUPTED)


def _in_words(error: Exception) -> object:
    """An error of the operating system without its number; any other as it is."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror is not None:
        return f"{error.filename}: {error.strerror}"
    return error


def _say(name: str, what: object, status: ExitStatus) -> int:
    sys.stdout.flush()  # what was printed before stands before it
    print(f"{name}: {what}", file=sys.stderr)
    return status
