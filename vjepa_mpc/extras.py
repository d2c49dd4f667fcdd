"""How to install what only a part of the package needs, for messages."""

from __future__ import annotations


def install_hint(extra: str) -> str:
    """The command that installs an extra of setup.py. The package is on no index: its source folder installs it."""
    return f"run `pip install '.[{extra}]'` in the source folder of vjepa_mpc"
