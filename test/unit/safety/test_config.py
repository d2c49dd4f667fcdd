"""Settings of the guards, and what they are told about images."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from support.rigs.supervisor_rig import CONFIG
from vjepa_mpc.safety.config import SupervisorConfig
from vjepa_mpc.safety.samples import image_digest


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"frame_id": ""}, "frame_id"),
        ({"pose_timeout": 0.0}, "pose_timeout=0.0"),
        ({"recovery_time": -1.0}, "recovery_time=-1.0"),
        ({"replan_deadline": float("nan")}, "replan_deadline=nan"),
        ({"max_deadline_misses": 0}, "max_deadline_misses=0"),
        ({"ignore_sanity": frozenset({"INCHES"})}, "INCHES unknown; known are MILLIMETRES"),
    ],
)
def test_bad_settings_are_named(changes, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        replace(CONFIG, **changes)


def test_a_workspace_is_required():
    with pytest.raises(TypeError, match="workspace"):
        SupervisorConfig(frame_id="base")


def test_digests_tell_images_apart():
    image = np.zeros((64, 64, 3), np.uint8)
    other = image.copy()
    other[63, 63, 2] = 1
    assert image_digest(image.tobytes()) == image_digest(bytearray(image.tobytes()))
    assert image_digest(image.tobytes()) != image_digest(other.tobytes())
