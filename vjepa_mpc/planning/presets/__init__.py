"""Settings that the papers and we recommend: one file per preset, with its reason.

Each value's reason, with what it is worth where that was measured, is told in docs/performance.md.
"""

from collections.abc import Mapping

from vjepa_mpc.planning.config import CEMConfig
from vjepa_mpc.registry import Registry

_REGISTRY: Registry[CEMConfig] = Registry(__name__, CEMConfig, "preset")

PRESETS: Mapping[str, CEMConfig] = {name: _REGISTRY.part(name) for name in _REGISTRY.names}
"""Every preset by its name."""
