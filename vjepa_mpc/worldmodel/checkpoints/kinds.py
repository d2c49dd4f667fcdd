"""What a file is, judged by its first bytes: the ones that hold weights, and a sentence for each that does not.

No message repeats what is in a file: whoever may name a file may not be allowed to read it.
"""

from __future__ import annotations

import os
import stat
import zipfile
from pathlib import Path
from typing import Literal

from vjepa_mpc.worldmodel.checkpoints.errors import CheckpointError

Kind = Literal["folder", "safetensors", "torch", "legacy torch"]

# How torch.save began a file before it wrote zip archives: a pickled number.
_LEGACY_TORCH = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
_IMAGE = "a picture, not weights: it may be a goal image that was given in a checkpoint's place"
_PACKED = "a compressed archive: unpack it first"
_CONVERT = (
    "this package reads PyTorch and safetensors weights only: get the checkpoint that it was made from, such as Meta's "
    ".pt or a Hugging Face folder"
)
_SENTENCES: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG", _IMAGE),
    (b"\xff\xd8\xff", _IMAGE),
    (b"GIF8", _IMAGE),
    (b"BM", _IMAGE),
    (b"GGUF", f"a GGUF file of llama.cpp or ggml: {_CONVERT}"),
    (b"lmgg", f"a file of ggml: {_CONVERT}"),
    (b"tjgg", f"a file of ggml: {_CONVERT}"),
    (
        b"version https://git-lfs",
        "a Git LFS pointer: the small text that stands for the file in a git repository. Get the file itself with "
        "`git lfs pull`",
    ),
    (b"\x93NUMPY", "a NumPy array, not a PyTorch or safetensors checkpoint"),
    (b"\x89HDF", f"an HDF5 file: {_CONVERT}"),
    (b"%PDF", "a PDF document, not weights"),
    (b"\x1f\x8b", _PACKED),
    (b"BZh", _PACKED),
    (b"\xfd7zXZ", _PACKED),
    (b"\x28\xb5\x2f\xfd", _PACKED),
    (b"7z\xbc\xaf", _PACKED),
    (b"Rar!", _PACKED),
    (b"\x7fELF", "a program, not weights"),
    (b"#!", "a script, not weights"),
)
_MOST_HEADER = 100_000_000  # bytes, as the safetensors library has it


def kind_of(path: Path) -> Kind:
    """What sort of checkpoint lies at the path.

    Raises:
        CheckpointError: none; the message says what it is instead.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            os.listdir(path)
            return "folder"
        if not stat.S_ISREG(mode):
            raise CheckpointError(f"{path} is not a file but a device or a pipe: give a file with weights")
        with path.open("rb") as opened:
            start, size = opened.read(512), os.fstat(opened.fileno()).st_size
    except FileNotFoundError as error:
        raise CheckpointError(_absent(path)) from error
    except PermissionError as error:
        raise CheckpointError(f"{path}: no permission to read it; ask its owner for `chmod a+r`") from error
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror})") from error
    return _kind_of_bytes(path, start, size)


def _absent(path: Path) -> str:
    if path.is_symlink():
        return f"{path} is not a file: it links to {path.readlink()}, which is not there; download that again"
    if not path.parent.is_dir():
        return f"{path} is not a file: not even its folder {path.parent} is there"
    return f"{path} is not a file: give the path of a checkpoint; see docs/checkpoints.md for what can be used"


def _kind_of_bytes(path: Path, start: bytes, size: int) -> Kind:
    if size == 0:
        raise CheckpointError(f"{path} is empty (0 bytes): a download or copy has failed; get it again")
    if start.startswith(b"PK\x03\x04"):
        return _kind_of_zip(path, size)
    if start.startswith(_LEGACY_TORCH):
        return "legacy torch"
    if _is_safetensors(start):
        return "safetensors"
    for beginning, sentence in _SENTENCES:
        if start.startswith(beginning):
            raise CheckpointError(f"{path} is {sentence}")
    raise CheckpointError(f"{path} is {_other(start, size)}")


def _kind_of_zip(path: Path, size: int) -> Kind:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError) as error:
        raise CheckpointError(
            f"{path} ({size} bytes) is not a whole torch checkpoint: its end is missing or damaged; download it again "
            "and compare its size"
        ) from error
    inner = {name.split("/", 1)[-1] for name in names}
    if "constants.pkl" in inner:
        raise CheckpointError(
            f"{path} is a TorchScript program, not a state dict: save the weights of the model that it was made from"
        )
    if "data.pkl" in inner:
        return "torch"
    if names and all(name.endswith(".npy") for name in names):
        raise CheckpointError(f"{path} is a NumPy archive, as MLX writes its weights: {_CONVERT}")
    raise CheckpointError(f"{path} is a zip archive that torch did not write: {_PACKED.split(': ')[1]}")


def _is_safetensors(start: bytes) -> bool:
    length = int.from_bytes(start[:8], "little")
    return len(start) > 8 and 2 <= length <= _MOST_HEADER and start[8:9] == b"{"


def _other(start: bytes, size: int) -> str:
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype", b"<html", b"<head", b"<?xml")):
        return (
            "a web page: the download gave a login or error page instead of the file; get it again, by hand if need be"
        )
    if text.startswith((b"{", b"[")):
        return (
            "a JSON text, such as a config or the index of a model in shards: give the folder that it lies in, with "
            "the weights beside it"
        )
    if start[257:262] == b"ustar":
        return "a tar archive: unpack it first"
    if start[:4] == b"RIFF" or start[4:8] == b"ftyp":
        return "a picture or film, not weights"
    if len(start) > 1 and start[0] == 0x80 and start[1] in range(2, 6):
        return (
            "a Python pickle that torch.save did not write, and running code from a checkpoint is refused: load it "
            "where it was made and save its tensors with torch.save"
        )
    if not any(start):
        return f"a file of zeros ({size} bytes): a download was cut; get it again"
    if _is_text(start):
        return "a text, not weights"
    return f"none that is known ({size} bytes): neither PyTorch nor safetensors weights, or damaged at its beginning"


def _is_text(start: bytes) -> bool:
    try:
        text = start.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(start) - 3:  # or the last character was cut
            return False
        text = start[: error.start].decode("utf-8")
    return all(character.isprintable() or character in "\t\r\n" for character in text)
