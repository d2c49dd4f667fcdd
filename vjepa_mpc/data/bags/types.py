"""ROS 2 message types without ROS."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from vjepa_mpc.data.errors import needs

Definitions = tuple[tuple[str, str, bool], ...]
"""Of types: their names, their definitions, and whether those are IDL."""


@lru_cache(maxsize=16)
def types_with(definitions: Definitions = ()) -> Any:
    """A store of rosbags with the types of ROS 2 Jazzy, and those of ``definitions`` that it lacks.

    Stores are shared: making one, and its code for a type, takes longer than decoding many messages.
    """
    typesys = needs("rosbags.typesys")
    store = typesys.get_typestore(typesys.Stores.ROS2_JAZZY)
    for name, definition, idl in definitions:
        found = typesys.get_types_from_idl(definition) if idl else typesys.get_types_from_msg(definition, name)
        store.register({key: value for key, value in found.items() if key not in store.fielddefs})
    return store
