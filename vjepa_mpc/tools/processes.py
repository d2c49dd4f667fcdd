"""Starting and stopping ROS 2 nodes as processes of their own."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

# Nodes of this package are run as modules with this interpreter, so that they are found without a ROS installation
# having been sourced, and the source tree's ones when working in it.
MODULES = {
    "calibrate": "vjepa_mpc.ros.calibrate.node",
    "dashboard": "vjepa_mpc.ros.dashboard.node",
    "franka_driver": "vjepa_mpc.ros.franka.node",
    "planner_node": "vjepa_mpc.ros.planner.node",
    "play": "vjepa_mpc.ros.play.node",
    "recorder": "vjepa_mpc.ros.recorder.node",
    "sim_node": "vjepa_mpc.ros.sim.node",
}
STOP_TIMEOUT = 10.0  # seconds
# A parent that is killed cannot stop its nodes; on Linux the kernel does it then.
_DIE_WITH_PARENT = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []


def local_environment(domain_id: int) -> dict[str, str]:
    """This process's environment with DDS kept to this machine and a domain of its own."""
    return {
        **os.environ,
        "ROS_DOMAIN_ID": str(domain_id),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",  # since Iron
        "ROS_LOCALHOST_ONLY": "1" if os.environ.get("ROS_DISTRO") == "humble" else "0",
        "PYTHONUNBUFFERED": "1",
    }


class DomainLease:
    """A ROS domain id that nobody else on this machine who asks in this way has, for this process's lifetime.

    Two systems in one domain would obey each other's messages: two arms would follow one planner.
    """

    # Domains up to 101 use ports below those that Linux hands out to clients.
    DOMAINS = range(1, 102)

    def __init__(self) -> None:
        # Starting anywhere keeps apart users who cannot see each other's locks.
        first = os.getpid() % len(self.DOMAINS)
        for domain in [*self.DOMAINS[first:], *self.DOMAINS[:first]]:
            if self._take(Path(tempfile.gettempdir()) / f"ros_domain_{domain}.lock"):
                self.domain_id = domain
                return
        raise RuntimeError("every ROS domain from 1 to 101 is taken on this machine: end some of them")

    @staticmethod
    def _take(path: Path) -> bool:
        """Lock a file; the lock goes with the process."""
        try:
            handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o666)
        except OSError:  # another user's
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            return False
        return True


class NodeProcess:
    """A node in a process of its own; its output goes to a log file.

    Args:
        name: one of `MODULES`, or the full name of another module.
        log: file for its output.
        domain_id: DDS domain.
        params_files: parameter YAML files, later ones override earlier ones.
        parameters: on top of them, as in `-p name:=value`.
        remappings: as in `-r from:=to`.
        environment: on top of this process's.
        arguments: what else it is told, before what ROS is told.
    """

    def __init__(
        self,
        name: str,
        log: Path,
        domain_id: int,
        *,
        params_files: Sequence[Path] = (),
        parameters: Mapping[str, str] | None = None,
        remappings: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        arguments: Sequence[str] = (),
    ) -> None:
        self.name, self.log = name, log
        command = [*_DIE_WITH_PARENT, sys.executable, "-m", MODULES.get(name, name), *arguments, "--ros-args"]
        for file in params_files:
            command += ["--params-file", str(file)]
        for key, value in (parameters or {}).items():
            command += ["-p", f"{key}:={value}"]
        for key, value in (remappings or {}).items():
            command += ["-r", f"{key}:={value}"]
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w") as output:
            self._process = subprocess.Popen(
                command,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={**local_environment(domain_id), **(environment or {})},
                start_new_session=True,  # Ctrl-C in the terminal is for the parent, which stops its nodes in order
            )

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Exit status; None while it runs."""
        return self._process.poll()

    def send(self, number: int) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def wait(self, timeout: float = STOP_TIMEOUT) -> int:
        """Wait for its end; the exit status.

        Raises:
            subprocess.TimeoutExpired: it still runs.
        """
        return self._process.wait(timeout)

    def stop(self, number: int = signal.SIGINT, timeout: float = STOP_TIMEOUT) -> int:
        """End it, by force if it does not obey; the exit status."""
        if self.returncode is None:
            self.send(number)
            try:
                return self.wait(timeout)
            except subprocess.TimeoutExpired:
                self._process.kill()
        return self._process.wait()

    def output(self) -> str:
        """What it printed so far."""
        return self.log.read_text(errors="replace")

    def __enter__(self) -> NodeProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
