"""A recording as the page shows it: everything as it was at one moment, read from the bag when it is asked for."""

from __future__ import annotations

import bisect
import math
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vjepa_mpc.dashboard.history import History
from vjepa_mpc.dashboard.seen import Lines, Seen
from vjepa_mpc.data.bags.bag import Bag, Message, files_of
from vjepa_mpc.data.errors import DataError
from vjepa_mpc.imagination.fan import colours, paths, segments
from vjepa_mpc.ros.dashboard import reading

STATUS, GOAL, RECORD = "vjepa_mpc/msg/PlanStatus", "vjepa_mpc/msg/GoalPictures", "vjepa_mpc/msg/PlanRecord"
POSE, JOINTS = "geometry_msgs/msg/PoseStamped", "sensor_msgs/msg/JointState"
PICTURES = ("sensor_msgs/msg/CompressedImage", "sensor_msgs/msg/Image")
_LOOKED_BACK = 5.0  # seconds that the newest picture may be old


class RecordedTimeline:
    """Shows a recording at any of its moments.

    All but the pictures is kept in memory as it came; a plan's fan is made from its record.

    Args:
        path: a bag's folder or file.
        seen: filled by `show`.
        history: filled at once, with all of the recording.

    Attributes:
        planner: name of the node that the recording is of.

    Raises:
        DataError: there is no bag, there are several, or it is not of a planner.
    """

    def __init__(self, path: Path, seen: Seen, history: History) -> None:
        bags = files_of(path) if path.exists() else []
        if len(bags) != 1:
            raise DataError(f"{path} holds {len(bags)} recordings: give the folder of one")
        self._bag = Bag(bags[0])
        self._decode: Any = self._bag.decoder()
        self._seen, self._lock = seen, threading.Lock()
        status = self._topics(STATUS)
        if not status:
            raise DataError(f"{path} is not of a planner: it has no {STATUS}, but {', '.join(sorted(self._bag.types))}")
        self.planner = status[0].rpartition("/")[0]
        self._camera = next((topic for kind in PICTURES for topic in self._topics(kind)), "")
        self._messages: dict[str, list[Message]] = defaultdict(list)
        for each in self._bag.messages([topic for kind in self._takers for topic in self._topics(kind)]):
            self._messages[self._bag.types[each.topic]].append(each)
        stamps = [each.stamp for of_kind in self._messages.values() for each in (of_kind[0], of_kind[-1])]
        self._first, self._last = min(stamps), max(stamps)
        if self._camera:  # what was latched before may be old
            self._first = next((each.stamp for each in self._bag.messages([self._camera])), self._first)
        self._note_all(history)
        seen.trouble, seen.no_imagination = "", "not recorded: vjepa-mpc replay --video makes it again"
        self.show(0.0)

    @property
    def seconds(self) -> float:
        """From the first picture to the last message."""
        return (self._last - self._first) * 1e-9

    def show(self, at: float) -> None:
        """Have everything be seen as it was so many seconds after the first picture; any thread."""
        stamp = self._first + round(at * 1e9)
        with self._lock:
            reading.forget(self._seen)
            for kind, take in self._takers.items():
                newest = self._newest(kind, stamp)
                if newest is not None:
                    take(self._decode(newest.data, newest.topic))
            self._seen.camera = None
            start = stamp - round(_LOOKED_BACK * 1e9)
            pictures = list(self._bag.messages([self._camera], start, stamp + 1)) if self._camera else []
            if pictures:
                self._seen.camera = reading.picture_of(self._decode(pictures[-1].data, self._camera))

    @property
    def _takers(self) -> dict[str, Callable[[Any], None]]:
        """What is done with the newest message of each type, in this order."""
        return {
            POSE: lambda message: setattr(self._seen, "pose", reading.pose_of(message)),
            JOINTS: lambda message: reading.take_joints(self._seen, message),
            GOAL: lambda message: setattr(self._seen, "goal", reading.goal_of(message)),
            RECORD: self._take_record,
            STATUS: self._take_status,
        }

    def _take_status(self, message: Any) -> None:
        # A recording's last word is not late, however long one looks at it.
        status = self._seen.status = replace(reading.status_of(message), received=math.inf)
        if not status.goal_id:
            self._seen.elites = self._seen.chosen = self._seen.goal = None

    def _take_record(self, message: Any) -> None:
        """The elites as lines, and the plan as the chosen way; camera calibration is left out, as in the record."""
        origin = np.array(message.origin)
        ways = paths(origin, np.array(message.elites, dtype=np.float64).reshape(-1, message.horizon, 7))
        worst_first = slice(None, None, -1)  # the best is drawn last, over the others
        of_elites = colours(np.array(message.elite_energies))
        ends = segments(ways)[worst_first].reshape(-1, 2, 3)
        self._seen.elites = Lines(ends, np.repeat(of_elites[worst_first], message.horizon, axis=0))
        self._seen.chosen = paths(origin, np.array(message.actions, dtype=np.float64).reshape(1, -1, 7))[0]

    def _newest(self, kind: str, stamp: int) -> Message | None:
        """The last message of a type that was received up to a stamp in nanoseconds."""
        of_kind = self._messages[kind]
        index = bisect.bisect_right(of_kind, stamp, key=lambda each: each.stamp)
        return of_kind[index - 1] if index else None

    def _note_all(self, history: History) -> None:
        for each in self._messages[STATUS]:
            pose = self._newest(POSE, each.stamp)
            where = None if pose is None else reading.pose_of(self._decode(pose.data, pose.topic))
            status = reading.status_of(self._decode(each.data, each.topic))
            history.note(replace(status, received=(each.stamp - self._first) * 1e-9), where)

    def _topics(self, kind: str) -> list[str]:
        return sorted(topic for topic, found in self._bag.types.items() if found == kind)
