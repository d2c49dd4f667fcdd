"""Pictures of the scene from its fixed camera."""

from __future__ import annotations

import os
from types import TracebackType

import numpy as np

from vjepa_mpc.sim.backend import REMEDY, RenderBackendError
from vjepa_mpc.sim.scene import CAMERA, DRAWN_GROUPS, mujoco


class CameraRenderer:
    """Draws uint8 RGB [size, size, 3]; owns an OpenGL context, so use it in one thread and `close` it.

    Raises:
        RenderBackendError: neither EGL nor OSMesa works here; the message names the packages to install.
    """

    def __init__(self, model: mujoco.MjModel, size: int) -> None:
        try:
            self._renderer = mujoco.Renderer(model, height=size, width=size)
        except Exception as error:  # each OpenGL platform has its own exceptions, down to plain AttributeError
            raise RenderBackendError(
                f"MuJoCo cannot draw here (MUJOCO_GL={os.environ.get('MUJOCO_GL', '')!r}, {error!r}): "
                f"it needs EGL or OSMesa; {REMEDY}"
            ) from error
        self._option = mujoco.MjvOption()
        self._option.geomgroup[:] = [int(group in DRAWN_GROUPS) for group in range(len(self._option.geomgroup))]
        self._option.sitegroup[:] = 0

    def upload_textures(self) -> None:
        """Show textures that have changed in the model."""
        self._renderer._gl_context.make_current()
        for texture in range(self._renderer.model.ntex):
            mujoco.mjr_uploadTexture(self._renderer.model, self._renderer._mjr_context, texture)

    def draw(self, data: mujoco.MjData, *, shadows: bool = False) -> np.ndarray:
        """The camera's view of a state whose kinematics are up to date."""
        self._renderer.update_scene(data, camera=CAMERA, scene_option=self._option)
        flags = self._renderer.scene.flags
        flags[mujoco.mjtRndFlag.mjRND_SHADOW], flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = int(shadows), 0
        return self._renderer.render()

    def close(self) -> None:
        """Free the OpenGL context; OSMesa's own destructor would throw at interpreter exit."""
        self._renderer.close()

    def __enter__(self) -> CameraRenderer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
