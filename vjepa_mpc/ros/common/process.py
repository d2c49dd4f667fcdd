"""How a node's process lives and ends: signals, executor, exit status."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar, cast

import rclpy
from rclpy.executors import Executor, ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future

from vjepa_mpc.exit_status import ExitStatus
from vjepa_mpc.ros.common import executable
from vjepa_mpc.ros.common.launch_watch import end_with_launch
from vjepa_mpc.ros.parameters.arguments import NodeParameters, checked
from vjepa_mpc.ros.parameters.command_line import asks_for_help, check_command_line, help_text, ros_words
from vjepa_mpc.ros.parameters.live import ParameterError

STOP_TIMEOUT = 3.0  # seconds for a callback that is under way
LOOK_PERIOD = 0.02  # seconds between looks at what is waited for


class Runnable(Protocol):
    """What `run` needs of a node besides being a Node."""

    def get_logger(self) -> Any:
        """As a Node has it."""

    def start(self) -> None:
        """Called once, on the main thread, when callbacks are being served."""

    def stop(self) -> bool:
        """End motion and threads; messages can still be published. False: a thread did not end and is left behind."""


R = TypeVar("R", bound=Runnable)
T = TypeVar("T")


def executor_of(node: Node) -> Executor:
    """The executor that calls a node's callbacks.

    Raises:
        RuntimeError: the node is not being run.
    """
    if node.executor is None:
        raise RuntimeError(f"{node.get_name()} has no executor: run it with `process.run`")
    return node.executor


class RosLogHandler(logging.Handler):
    """Passes what the core logs on to a node's logger, so that it reaches the console once, and /rosout."""

    def __init__(self, logger: Any) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(name)s: %(message)s"))
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        """One line for each severity, because rclpy refuses a line of code that changes its own."""
        message = self.format(record)
        if record.levelno >= logging.ERROR:
            self._logger.error(message)
        elif record.levelno >= logging.WARNING:
            self._logger.warning(message)
        elif record.levelno >= logging.INFO:
            self._logger.info(message)
        else:
            self._logger.debug(message)


def run(
    make_node: Callable[[], R],
    parameters: NodeParameters,
    args: Sequence[str] | None = None,
    work: Callable[[R, threading.Event], int] | None = None,
    own_options: bool = False,
) -> int:
    """Run a node until SIGINT, SIGTERM, SIGHUP or the end of its launch; the exit status: 0, 1 when a callback failed.

    The command line is checked against ``parameters`` first; a wrong word or value ends the process with one line and
    status 2. ``--help`` prints what there is. A node that reads options of its own says so by ``own_options``.

    A node that has one job to do gives it as ``work``: it is called with the node and the event that a signal sets, and
    at its end the process ends, with its result as exit status.

    rclpy's own signal handlers close the communication at once, before the arm could be brought to rest. Here the main
    thread waits for the signal, and the node stops in an orderly way first.
    """
    argv = sys.argv if args is None else args
    if asks_for_help(argv[1:]):
        print(help_text(parameters))
        return ExitStatus.DONE
    logging.basicConfig(level=logging.INFO, format="[%(levelname)s] [%(name)s]: %(message)s")
    # Threads take turns this often (default 5 ms), so that a busy planner does not hold up a set-point by much.
    sys.setswitchinterval(0.0005)
    stopping = threading.Event()
    failures: list[Exception] = []
    _set_by_signals(stopping)
    end_with_launch(stopping)
    try:
        check_command_line(argv[1:], own_options=own_options)
        with checked(argv, parameters) as given:
            _begin_ros(given)
        node = make_node()
    except ParameterError as error:
        print(f"cannot start: {error}", file=sys.stderr)
        rclpy.try_shutdown()
        return ExitStatus.MISUSED
    logging.getLogger().handlers = [RosLogHandler(node.get_logger())]
    logging.getLogger("vjepa_mpc").setLevel(int(node.get_logger().get_effective_level()))  # as --log-level says
    executor = SingleThreadedExecutor()
    executor.add_node(cast(Node, node))
    spinner = threading.Thread(target=_spin, args=(executor, stopping, failures), name="executor")
    spinner.start()
    try:
        started = not stopping.is_set()
        if started:
            node.start()
        if work is None:
            stopping.wait()
            status = int(ExitStatus.DONE)
        else:
            status = work(node, stopping)
        clean = not started or node.stop()
    finally:
        executor.shutdown(STOP_TIMEOUT)
        spinner.join(STOP_TIMEOUT)
        rclpy.try_shutdown()
    clean = clean and not spinner.is_alive()
    if not clean:
        # A thread is deep inside a computation that cannot be interrupted. Everything is closed and the arm is at
        # rest; the interpreter would crash if it tore down modules under that thread.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(ExitStatus.FAILED if failures else status)
    return ExitStatus.FAILED if failures else status


def _set_by_signals(event: threading.Event) -> None:
    """Set an event when a signal asks the process to end.

    Not in the signals' handlers: they interrupt the main thread, which may hold the event's lock at that moment, as
    when a second signal follows the first; taking it again would wait for ever. The interpreter writes the number of
    each signal into a socket instead, and a thread of its own reads it.
    """
    for number in executable.SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, lambda *_: None)
    numbers, written = socket.socketpair()
    written.setblocking(False)
    signal.set_wakeup_fd(written.fileno(), warn_on_full_buffer=False)

    threading.Thread(target=_watch_signals, args=(event, numbers, written), name="signals", daemon=True).start()


def _watch_signals(event: threading.Event, numbers: socket.socket, written: socket.socket) -> None:
    """Both ends stay open as long as this thread lives, which is as long as the process."""
    while True:
        if not set(numbers.recv(64)).isdisjoint(executable.SIGNALS):
            event.set()


def _begin_ros(arguments: Sequence[str]) -> None:
    try:
        rclpy.init(args=list(arguments), signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:  # an RCLError, e.g. of an enclave that there is not
        raise ParameterError(ros_words(error)) from error


class Awaited(Generic[T]):
    """What another thread brings, and a callback of a node awaits as ``future``.

    Args:
        node: whose callback waits.
    """

    def __init__(self, node: Node) -> None:
        self._executor = executor_of(node)
        self.future: Future[T] = Future(executor=self._executor)

    def bring(self, result: T) -> None:
        """The result; any thread."""
        self.future.set_result(result)
        self._executor.wake()  # it looks at waiting callbacks only when something happens

    def fail(self, error: Exception) -> None:
        """What is raised where the result is awaited; any thread."""
        self.future.set_exception(error)
        self._executor.wake()


def wait_until(ready: Callable[[], bool], stopping: threading.Event, timeout: float) -> bool:
    """Wait on the main thread for what callbacks bring; False if it is not there when the time, in seconds, is over,
    or a signal comes.
    """
    deadline = time.monotonic() + timeout
    while not ready():
        if time.monotonic() > deadline or stopping.wait(LOOK_PERIOD):
            return ready()  # it may have come together with the signal
    return True


def _spin(executor: SingleThreadedExecutor, stopping: threading.Event, failures: list[Exception]) -> None:
    try:
        executor.spin()
    except ExternalShutdownException:
        pass
    except Exception as error:
        if not stopping.is_set():  # a callback may still meet a node that is ending, and that is no failure
            failures.append(error)
            logging.getLogger("vjepa_mpc").exception("a callback failed; the process ends")
    finally:
        stopping.set()
