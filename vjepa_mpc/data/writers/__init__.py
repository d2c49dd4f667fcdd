"""Writers of recordings: each file here is a format, by its file's name."""

from vjepa_mpc.data.writer import Writer
from vjepa_mpc.registry import Registry

WRITERS: Registry[Writer] = Registry("vjepa_mpc.data.writers", Writer, "writer")
