"""What a torch file holds beside tensors, found without running any of it."""

from __future__ import annotations

import io
import pickletools
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

# What tensors are pickled with: functions and classes that torch.load takes without running anything else.
_HARMLESS = ("torch.", "collections.OrderedDict", "_codecs.encode")
_MOST_PICKLES = 8  # of a legacy file: a number, versions, the machine, the content, keys


def objects_in(file: Path) -> list[str]:
    """Names of the classes and functions that unpickling the file would call, but for those of tensors; in order."""
    found: dict[str, None] = {}
    try:
        for stream in _streams(file):
            for name in _names(stream):
                if not name.startswith(_HARMLESS) or name.startswith("torch.nn.modules."):
                    found.setdefault(name)
    except (ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile):
        pass  # what was found so far is said; a stream that cannot be read to its end is no reason to fail
    return list(found)


def rescue(file: Path) -> str:
    """Three lines that save the tensors of a file that holds more, for whoever trusts it."""
    return (
        "    import torch\n"
        f'    content = torch.load("{file}", map_location="cpu", weights_only=False)  # runs code in it\n'
        '    torch.save(content.state_dict() if hasattr(content, "state_dict") else {name: getattr(part, "state_dict", '
        'lambda part=part: part)() for name, part in content.items() if name in ("encoder", "predictor", '
        f'"target_encoder", "ema_encoder")}}, "{file.with_name(file.stem + "_tensors.pt").name}")'
    )


def _streams(file: Path) -> Iterator[BinaryIO]:
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            for name in archive.namelist():
                if name.endswith("data.pkl"):
                    yield io.BytesIO(archive.read(name))
        return
    with file.open("rb") as opened:
        for _ in range(_MOST_PICKLES):
            yield opened


def _names(stream: BinaryIO) -> Iterator[str]:
    """The globals of one pickle. STACK_GLOBAL takes the two texts last put on the stack, maybe out of the memo."""
    texts: list[str] = []
    memo: dict[Any, str | None] = {}
    top: str | None = None  # of the stack, if it is a text
    for code, argument, _ in pickletools.genops(stream):
        if code.name in ("MEMOIZE", "BINPUT", "LONG_BINPUT", "PUT"):
            memo[len(memo) if code.name == "MEMOIZE" else argument] = top
            continue
        if code.name == "GLOBAL" and isinstance(argument, str):
            yield argument.replace(" ", ".")
        elif code.name == "STACK_GLOBAL" and len(texts) > 1:
            yield ".".join(texts[-2:])
        if code.name in ("BINGET", "LONG_BINGET", "GET"):
            top = memo.get(argument)
        else:
            top = argument if isinstance(argument, str) and "UNICODE" in code.name else None
        if top is not None:
            texts.append(top)
