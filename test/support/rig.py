"""The system tests' tools: a recorder of what the planner does, and a rig of simulator, planner and recorder."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import yaml
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import PoseStamped
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.srv import GetParameters, SetParametersAtomically
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CompressedImage
from std_srvs.srv import SetBool, Trigger
from vjepa_mpc.msg import PlanStatus
from vjepa_mpc.srv import GetImage, SetGoal

from support.fault_injector import as_stamp
from support.rigs.setpoint_checks import Limits, Recording, Stamped
from vjepa_mpc.images import encode_png
from vjepa_mpc.ros.common.conversions import seconds
from vjepa_mpc.sim import FrankaSim
from vjepa_mpc.tools.demo.link import ANSWER_TIMEOUT, DemoLink
from vjepa_mpc.tools.processes import NodeProcess

ROOT = Path(__file__).resolve().parents[2]
PROFILE = ROOT / "config/robots/sim.yaml"
LIMITS = yaml.safe_load(PROFILE.read_text())["/**"]["ros__parameters"]
DEFAULTS = yaml.safe_load((ROOT / "config/planner.yaml").read_text())["/**"]["ros__parameters"]
START = np.array([0.52, 0.0, 0.2, np.pi, 0.0, 0.0, 0.0])
GOAL = np.array([0.45, 0.08, 0.12, np.pi, 0.0, 0.0, 0.0])
BLOCK = np.array([0.6, -0.1])
# A planner that finds the way less well, and much faster: for tests in which only that it moves matters.
FAST = {"samples": "32", "topk": "6", "cem_steps": "3"}
SERVICES = {
    "set_goal": SetGoal,
    "pause": SetBool,
    "resume": Trigger,
    "change_state": ChangeState,
    "get_parameters": GetParameters,
}
PATIENCE = 180.0  # seconds for what has to come; nothing is measured by it, and a busy machine plans slowly
QUIET = 0.5  # seconds that count as silence: many set-point periods


def limits(**overrides: Any) -> Limits:
    """What the planner of the tests keeps to, with other values for what a test changed."""
    stated = {name.rpartition(".")[2]: value for name, value in (DEFAULTS | LIMITS).items()}
    parameters = {**stated, **overrides}
    return Limits(**{field.name: parameters[field.name] for field in fields(Limits)})


class Recorder(DemoLink):
    """A :class:`DemoLink` that also records what the arm is told, where it is, and what the planner says."""

    def __init__(self, domain_id: int, namespace: str = "") -> None:
        self.setpoints: list[Stamped] = []
        self._poses: list[Stamped] = []
        self._said: list[PlanStatus] = []
        self._clients: dict[str, Any] = {}
        self.clock_back = 0.0  # seconds that the clock of the nodes was set back by
        super().__init__(domain_id, namespace=namespace)
        self._node.create_subscription(PoseStamped, "target_pose", self._on_target, QoSProfile(depth=100))
        self._diagnostics: dict[str, str] = {}
        self._health: dict[str, DiagnosticStatus] = {}
        self._node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)

    # -- recording --------------------------------------------------------------------------------------------------

    def _on_target(self, message: PoseStamped) -> None:
        with self._changed:
            self.setpoints.append(self._stamped(message))
            self._changed.notify_all()

    def _keep(self, store: str) -> Callable[[Any], None]:
        keep = super()._keep(store)
        if store != "_pose":
            return keep

        def callback(message: PoseStamped) -> None:
            with self._changed:
                self._poses.append(self._stamped(message))
            keep(message)

        return callback

    def _on_status(self, message: PlanStatus) -> None:
        message.header.stamp = as_stamp(self._corrected(message, time.time()))
        with self._changed:
            self._said.append(message)
        super()._on_status(message)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        with self._changed:
            for status in message.status:
                self._health[status.name] = status
                if status.name.endswith("planner_node: planner"):
                    self._diagnostics = {value.key: value.value for value in status.values}
            self._changed.notify_all()

    def _stamped(self, message: PoseStamped) -> Stamped:
        received = time.time()
        message.header.stamp = as_stamp(self._corrected(message, received))
        return Stamped.of(message, received)

    def _corrected(self, message: Any, received: float) -> float:
        """The stamp, had the clock not been set back."""
        stamp = seconds(message.header.stamp)
        return stamp + self.clock_back if received - stamp > 0.5 * self.clock_back > 0.0 else stamp

    def recording(self) -> Recording:
        """What came since `forget`."""
        with self._changed:
            return Recording(setpoints=tuple(self.setpoints), poses=tuple(self._poses), statuses=tuple(self._said))

    def forget(self) -> None:
        """Start recording anew; the present status stays."""
        with self._changed:
            self.setpoints.clear()
            self._poses.clear()
            del self._statuses[:-1], self._said[:-1]

    def forget_planner(self) -> None:
        """What a planner that has ended did and said counts no more."""
        with self._changed:
            for record in (self.setpoints, self._poses, self._statuses, self._said):
                record.clear()
            clients, self._clients = self._clients, {}
        for client in clients.values():
            self._node.destroy_client(client)

    def check_setpoints(self) -> None:
        """What must hold for every set-point that was recorded."""
        problems = self.recording().violations(limits())
        assert not problems, f"{len(problems)} violations, e.g. {problems[:5]}"

    # -- waiting ----------------------------------------------------------------------------------------------------

    def wait_for_setpoint(self, timeout: float = PATIENCE) -> None:
        """Until one more comes."""
        with self._changed:
            count = len(self.setpoints)
            assert self._changed.wait_for(lambda: len(self.setpoints) > count, timeout), "no set-point came"

    def wait_for_speed(self, speed: float, timeout: float = PATIENCE) -> None:
        """Until the set-points of the last three periods move this fast, in m/s."""

        def fast() -> bool:
            if len(self.setpoints) < 4:
                return False
            old, new = self.setpoints[-4], self.setpoints[-1]
            return float(np.linalg.norm(new.position - old.position)) > speed * max(new.stamp - old.stamp, 1e-6)

        with self._changed:
            assert self._changed.wait_for(fast, timeout), f"no set-points of {speed} m/s in {timeout} s"

    def wait_for_diagnostics(
        self, accept: Callable[[dict[str, str]], bool], timeout: float = PATIENCE
    ) -> dict[str, str]:
        """Until the values that the planner gives in /diagnostics are acceptable."""
        with self._changed:
            self._diagnostics = {}
            came = self._changed.wait_for(lambda: self._diagnostics and accept(self._diagnostics), timeout)
            assert came, f"after {timeout} s /diagnostics says {self._diagnostics}"
            return self._diagnostics

    def stays_silent(self, duration: float = QUIET) -> bool:
        """Whether no set-point comes for a while."""
        with self._changed:
            count = len(self.setpoints)
            return not self._changed.wait_for(lambda: len(self.setpoints) > count, duration)

    def wait_until_silent(self, timeout: float = PATIENCE) -> None:
        """Until no set-points have come for a while."""
        deadline = time.monotonic() + timeout
        while not self.stays_silent():
            assert time.monotonic() < deadline, f"set-points still come after {timeout} s"

    def wait_for_health(self, name: str, level: bytes, words: str) -> None:
        """Until /diagnostics has an entry of this name with this level and these words."""

        def there() -> bool:
            status = self._health.get(name)
            return status is not None and status.level == level and words in status.message

        with self._changed:
            self._health = {}
            assert self._changed.wait_for(there, PATIENCE), f"/diagnostics says {self._health}"

    # -- asking -----------------------------------------------------------------------------------------------------

    def send(self, kind: Any, name: str, request: Any) -> tuple[float, Any]:
        """Send a request; when, in seconds of the system's clock, and the future answer.

        The client is kept: a server that does not know it yet gets the request a tenth of a second later.
        """
        client = self._client(kind, name)
        assert client.wait_for_service(ANSWER_TIMEOUT), f"nobody offers {name}"
        return time.time(), client.call_async(request)

    def meet_services(self) -> None:
        """Have clients for the planner's services, so that it knows them by the time that requests are sent."""
        for name, kind in SERVICES.items():
            self._client(kind, f"planner_node/{name}")

    def _client(self, kind: Any, name: str) -> Any:
        if name not in self._clients:
            self._clients[name] = self._node.create_client(kind, name)
        return self._clients[name]

    @contextmanager
    def listening(self, kinds: Mapping[str, Any], accept: Callable[[dict[str, list[Any]]], Any]) -> Iterator[Any]:
        """Subscribe to topics of the planner; a function waits until their messages are acceptable and returns them."""
        heard: dict[str, list[Any]] = {name: [] for name in kinds}

        def keep(name: str) -> Callable[[Any], None]:
            def callback(message: Any) -> None:
                with self._changed:
                    heard[name].append(message)
                    self._changed.notify_all()

            return callback

        def wait() -> dict[str, list[Any]]:
            with self._changed:
                missing = {name for name, messages in heard.items() if not messages}
                assert self._changed.wait_for(lambda: accept(heard), PATIENCE), f"nothing came on {missing}"
            return heard

        subscriptions = [
            self._node.create_subscription(kind, f"planner_node/{name}", keep(name), 10) for name, kind in kinds.items()
        ]
        yield wait
        for subscription in subscriptions:
            self._node.destroy_subscription(subscription)

    def publisher(self, kind: Any, topic: str, profile: QoSProfile | int = 1) -> Any:
        """A publisher of this node's, which stays."""
        return self._node.create_publisher(kind, topic, profile)

    def destroy_publisher(self, publisher: Any) -> None:
        """End a publisher of this node's."""
        self._node.destroy_publisher(publisher)

    def publish_until(self, publisher: Any, message: Any, accept: Callable[[PlanStatus], bool]) -> PlanStatus:
        """Publish again and again until the planner says something acceptable."""
        for _ in range(int(10 * PATIENCE)):
            publisher.publish(message)
            with self._changed:
                if self._changed.wait_for(lambda: accept(self._statuses[-1]), 0.1):
                    return self._statuses[-1]
        raise AssertionError(f"after {PATIENCE:.0f} s the planner says {self._statuses[-1]}")

    def publishers_of(self, topic: str) -> list[Any]:
        """Who publishes on a topic, as this node sees it."""
        return list(self._node.get_publishers_info_by_topic(topic))

    def subscribers_of(self, topic: str) -> list[Any]:
        """Who subscribes to a topic, as this node sees it."""
        return list(self._node.get_subscriptions_info_by_topic(topic))

    def set_parameters(self, node: str, **values: Any) -> str:
        """Set parameters together; the reason of a refusal, empty when they were taken."""
        request = SetParametersAtomically.Request()
        request.parameters = [
            Parameter(name.replace("__", "."), value=value).to_parameter_msg() for name, value in values.items()
        ]
        result = self.call(SetParametersAtomically, f"{node}/set_parameters_atomically", request).result
        return "" if result.successful else result.reason or "refused without a reason"

    def parameter(self, node: str, name: str) -> Any:
        """The present value of a parameter."""
        answer = self.call(GetParameters, f"{node}/get_parameters", GetParameters.Request(names=[name]))
        return Parameter.from_parameter_msg(ParameterMessage(name=name, value=answer.values[0])).value


class SimulatedArm:
    """The simulator's process, which may be killed and started again. Use it as a context manager.

    Args:
        log: file for its output.
        domain: DDS domain.
    """

    def __init__(self, log: Path, domain: int) -> None:
        self._log, self._domain = log, domain
        self.start()

    def start(self) -> None:
        """Start it (again)."""
        self.process = NodeProcess("sim_node", self._log, self._domain, params_files=[ROOT / "config/sim.yaml"])

    def kill(self) -> float:
        """End it without warning; when, in seconds of the system's clock."""
        at = time.time()
        self.process.send(signal.SIGKILL)
        self.process.wait()
        return at

    def __enter__(self) -> SimulatedArm:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.stop()


class Rig:
    """Simulator, planner and recorder, and what tests do with them."""

    def __init__(self, planner: NodeProcess, link: Recorder) -> None:
        self.planner, self.link = planner, link

    @staticmethod
    def start_planner(
        log: Path,
        domain: int,
        remappings: dict[str, str] | None = None,
        module: str = "planner_node",
        environment: dict[str, str] | None = None,
        **parameters: str,
    ) -> NodeProcess:
        """A planner for the simulated arm; `module`: another executable than the usual one."""
        parameters = {**Rig.checkpoint(), **parameters}
        return NodeProcess(
            module,
            log,
            domain,
            params_files=[ROOT / "config/planner.yaml", PROFILE],
            parameters={name.replace("__", "."): value for name, value in parameters.items()},
            remappings=remappings,
            environment=environment,
        )

    @staticmethod
    def checkpoint() -> dict[str, str]:
        """The parameter that the environment's VJEPA_MPC_CHECKPOINT, a world model to test with, stands for."""
        path = os.environ.get("VJEPA_MPC_CHECKPOINT")
        return {"checkpoint": path} if path else {}

    def reset(self, start: np.ndarray = START) -> None:
        """No goal, arm and block at their start, nothing recorded."""
        self.link.reset(start, BLOCK, 0.0)
        self.link.wait_for_status(lambda status: status.state == PlanStatus.IDLE, PATIENCE)
        self.link.wait_until_silent(PATIENCE)
        self.link.forget()

    def request(self, images: Sequence[np.ndarray] = (), **fields: Any) -> SetGoal.Response:
        """Call ~/set_goal."""
        return self.request_fields(images=[CompressedImage(format="png", data=encode_png(i)) for i in images], **fields)

    def request_fields(self, **fields: Any) -> SetGoal.Response:
        """Call ~/set_goal with these fields of the request."""
        return self.link.call(SetGoal, "planner_node/set_goal", SetGoal.Request(**fields))

    def request_current(self, steps: int) -> SetGoal.Response:
        """Set what the camera shows as the goal, once a picture has come since the planner was activated."""
        deadline = time.monotonic() + PATIENCE
        while not self.link.call(GetImage, "planner_node/get_image", GetImage.Request()).success:
            assert time.monotonic() < deadline, f"the planner has seen no picture in {PATIENCE:.0f} s"
            self.link.wait_for_view()
        return self.request(use_current_image=True, steps=[steps])

    def clear_goal(self) -> None:
        """Call ~/clear_goal and wait for silence."""
        self.link.call(Trigger, "planner_node/clear_goal", Trigger.Request())
        self.link.wait_until_silent(PATIENCE)

    def wait_for_state(self, state: int, timeout: float = PATIENCE) -> PlanStatus:
        """Until the planner says that it is in a state."""
        return self.link.wait_for_status(lambda status: status.state == state, timeout)

    def wait_for_reason(self, reason: str, timeout: float = PATIENCE) -> PlanStatus:
        """Until the planner gives a reason."""
        return self.link.wait_for_status(lambda status: status.reason == reason, timeout)

    def position(self) -> np.ndarray:
        """Of the arm, measured."""
        return self.link.wait_for_view().pose[:3]


def goal_picture(pose: np.ndarray = GOAL) -> np.ndarray:
    """What the camera would see with the arm at a pose and the block at its place."""
    with FrankaSim() as sim:
        sim.reset(pose=START, block_position=BLOCK, block_yaw=0.0)
        return sim.goal_image(pose)
