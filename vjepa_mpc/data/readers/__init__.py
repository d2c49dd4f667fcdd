"""Readers of recordings: each file here is a format, by its file's name."""

from vjepa_mpc.data.reader import Reader
from vjepa_mpc.registry import Registry

READERS: Registry[Reader] = Registry("vjepa_mpc.data.readers", Reader, "reader")
