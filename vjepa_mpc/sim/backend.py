"""Choosing how MuJoCo draws on a machine without a screen, before MuJoCo is imported.

MuJoCo reads ``MUJOCO_GL`` once, when it is first imported, so every module of this package that imports MuJoCo calls
`choose_gl_backend` above that import.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import sys
from collections.abc import MutableMapping

REMEDY = (
    "install one of them, e.g. on Debian or Ubuntu 'apt-get install libegl1 libegl-mesa0 libgl1-mesa-dri' (EGL) "
    "or 'apt-get install libosmesa6' (OSMesa), and start again"
)
_MAX_EGL_DEVICES = 16


class RenderBackendError(RuntimeError):
    """No OpenGL library can draw here; the message says what to install."""


def egl_works() -> bool:
    """Whether libEGL loads and one of its devices (a GPU or Mesa's software one) initialises."""
    name = ctypes.util.find_library("EGL")
    if name is None:
        return False
    try:
        egl = ctypes.CDLL(name)
        egl.eglGetProcAddress.restype = ctypes.c_void_p
        query_address = egl.eglGetProcAddress(b"eglQueryDevicesEXT")
        display_address = egl.eglGetProcAddress(b"eglGetPlatformDisplayEXT")
    except (OSError, AttributeError):
        return False
    if not query_address or not display_address:
        return False
    integer_pointer = ctypes.POINTER(ctypes.c_int)
    query = ctypes.CFUNCTYPE(ctypes.c_uint, ctypes.c_int, ctypes.POINTER(ctypes.c_void_p), integer_pointer)(
        query_address
    )
    display_of = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_uint, ctypes.c_void_p, integer_pointer)(display_address)
    devices, count = (ctypes.c_void_p * _MAX_EGL_DEVICES)(), ctypes.c_int(0)
    if not query(_MAX_EGL_DEVICES, devices, ctypes.byref(count)):
        return False
    egl.eglInitialize.argtypes = [ctypes.c_void_p, integer_pointer, integer_pointer]
    platform_device = 0x313F  # EGL_PLATFORM_DEVICE_EXT
    displays = (display_of(platform_device, devices[i], None) for i in range(count.value))
    return any(display and egl.eglInitialize(display, None, None) for display in displays)


def osmesa_works() -> bool:
    """Whether libOSMesa is installed."""
    return ctypes.util.find_library("OSMesa") is not None


def choose_gl_backend(environment: MutableMapping[str, str] = os.environ) -> str | None:
    """Set MUJOCO_GL to EGL, else OSMesa, unless the user has set it; returns the choice, None when neither works.

    A machine without either can still step the physics: what is missing is said by the first `FrankaSim.render`.
    Mesa's software rasteriser is held to one thread (LP_NUM_THREADS) because several processes render side by side.

    Raises:
        RenderBackendError: MUJOCO_GL asks for EGL or OSMesa, which does not work here (MuJoCo's import would crash).
    """
    environment.setdefault("LP_NUM_THREADS", "1")
    chosen = environment.get("MUJOCO_GL", "").lower().strip()
    if not chosen and sys.platform.startswith("linux"):
        if egl_works():
            chosen = "egl"
        elif osmesa_works():
            chosen = "osmesa"
        if chosen:
            environment["MUJOCO_GL"] = chosen
    elif (chosen == "egl" and not egl_works()) or (chosen == "osmesa" and not osmesa_works()):
        raise RenderBackendError(f"MUJOCO_GL={chosen} is set, but {chosen} does not work here: unset it, or {REMEDY}")
    if chosen == "osmesa":
        environment.setdefault("PYOPENGL_PLATFORM", "osmesa")
    return chosen or None
