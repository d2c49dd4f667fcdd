"""Is there a fresh camera image, and does the picture change when the arm moves?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vjepa_mpc.options import option
from vjepa_mpc.safety.guards.age import AgeReasons, StampOptions, check_age
from vjepa_mpc.safety.guards.interface import InputGuard, Scene
from vjepa_mpc.safety.guards.violation import Violation
from vjepa_mpc.safety.reasons import Reason
from vjepa_mpc.safety.samples import ImageSample, Now

_AGE = AgeReasons(
    silent=Reason.IMAGE_SILENT,
    no_stamp=Reason.IMAGE_STAMP_ZERO,
    stale=Reason.IMAGE_STALE,
    future=Reason.IMAGE_FROM_FUTURE,
)


class ImageGuard(InputGuard[ImageSample]):
    """Watches the camera: age, and whether the picture changes when the arm moves.

    A still scene may give the same picture again and again (a simulator renders it byte by byte the same); a moving
    arm may not.
    """

    @dataclass(frozen=True, kw_only=True)
    class Options(StampOptions):
        """When an image is too old, and when a camera counts as frozen."""

        image_timeout: float = option(
            0.5, "Oldest usable camera image, by its stamp and by its reception.", unit="s", low=0.01, high=60.0
        )
        frozen_image_time: float = option(
            0.5,
            "The camera counts as frozen when its picture stays the same, byte by byte, for this long after the arm "
            "has moved.",
            unit="s",
            low=0.01,
            high=600.0,
        )
        frozen_image_motion: float = option(
            0.005,
            "How far the arm moves before the camera's picture must have changed.",
            unit="m",
            low=0.0001,
            high=1.0,
        )

    kind = ImageSample
    missing = Reason.NO_IMAGE
    reasons = (*_AGE.all, Reason.IMAGE_FROZEN)

    def __init__(self, options: Options, scene: Scene) -> None:
        super().__init__(options, scene)
        self._options, self._scene = options, scene
        self._seen_at: np.ndarray | None = None
        self._moved_since: float | None = None
        self._frozen_for = 0.0

    def observe(self, sample: ImageSample) -> None:
        """Take note of an image, and of where the arm was measured last."""
        changed = self.newest is None or sample.digest != self.newest.digest
        self.newest = sample
        if changed:
            self._compare_anew()
        # Only this node's motion must show in the picture. While the arm holds, the pose may change because it is wrong
        # or because somebody moves the arm by hand; that is not held against the picture.
        position = self._scene.pose.position if self._scene.engaged and self._scene.pose is not None else None
        if self._seen_at is None:
            self._seen_at = position
        elif position is not None and np.linalg.norm(position - self._seen_at) >= self._options.frozen_image_motion:
            if self._moved_since is None:
                self._moved_since = sample.received
            self._frozen_for = sample.received - self._moved_since

    def hold_ended(self) -> None:
        """What moved until now need not show in this picture."""
        self._compare_anew()

    def _compare_anew(self) -> None:
        """Judge motion from where the arm is at the next image."""
        self._seen_at, self._moved_since, self._frozen_for = None, None, 0.0

    def check(self, now: Now) -> Violation | None:
        """Age, then whether the camera is frozen."""
        if self.newest is None:
            return None
        options = self._options
        late = check_age(self.newest, now, options.image_timeout, options.future_tolerance, _AGE)
        if late is not None:
            return late
        if self._frozen_for >= options.frozen_image_time:
            return Violation(
                Reason.IMAGE_FROZEN,
                f"identical for {self._frozen_for:.2f} s of new images after the arm moved more than "
                f"{options.frozen_image_motion * 1000:g} mm",
            )
        return None
