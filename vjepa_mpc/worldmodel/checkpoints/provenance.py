"""Where weights come from: hashes, and the texts that stand in a file's header."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Sequence
from pathlib import Path

import torch

from vjepa_mpc import __version__
from vjepa_mpc.worldmodel.checkpoints.loading import OpenedEncoder, OpenedPredictor
from vjepa_mpc.worldmodel.checkpoints.parts import find_encoder
from vjepa_mpc.worldmodel.checkpoints.source import Source
from vjepa_mpc.worldmodel.checkpoints.told import Told
from vjepa_mpc.worldmodel.vjepa.weights import StateDict

# The encoder inside vjepa2-ac-vitg.pt differs from the released vitg.pt by about 6 %, a copy in bfloat16 by 0.2 %.
_SAME_ENCODER = 0.01
THE_SAME, _ANOTHER = "this encoder", "another encoder"
_BLOCK = 1 << 22


def fingerprint(state: StateDict) -> str:
    """Hash of a network's weights, whatever file they lie in; in another precision it is another one."""
    digest = hashlib.sha256()
    for key in sorted(state):
        weight = state[key].contiguous()
        digest.update(f"{key} {weight.dtype} {list(weight.shape)}".encode())
        digest.update(weight.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]


def sha256(files: Sequence[Path]) -> str:
    """Hash of a file, or of a checkpoint in several: of the lines that sha256sum would print for them."""
    hashes = [_sha256(file) for file in files]
    if len(files) == 1:
        return hashes[0]
    lines = "".join(f"{digest}  {file.name}\n" for digest, file in zip(hashes, files, strict=True))
    return hashlib.sha256(lines.encode()).hexdigest()


def encoder_header(encoder: OpenedEncoder) -> dict[str, str]:
    """What a header says of an encoder: the file that it first came from, and its hashes.

    The fingerprint is that of the weights as they were brought, before any rounding.
    """
    kept = {name: text for name, text in encoder.source.header.items() if name.startswith("encoder_")}
    if {"encoder_file", "encoder_fingerprint"} <= kept.keys():
        return kept
    return {
        "encoder_file": encoder.source.path.name,
        "encoder_entry": encoder.part.entry,
        "encoder_sha256": sha256(encoder.source.files),
        "encoder_fingerprint": fingerprint(encoder.part.state),
    }


def model_header(encoder: OpenedEncoder, predictor: OpenedPredictor, told: Told) -> dict[str, str]:
    """What a header says of a world model; texts of the predictor's file about its training are kept."""
    other = other_encoder(encoder, predictor)
    own = {
        name: text
        for name, text in predictor.source.header.items()
        if not name.startswith("encoder_") and name not in ("assumed", "predictor_trained_with")
    }
    if "predictor_file" not in own:
        own |= {"predictor_file": predictor.source.path.name, "predictor_sha256": sha256(predictor.source.files)}
    header = own | encoder_header(encoder)
    header["predictor_trained_with"] = _trained_with(encoder, predictor, other)
    return header | common_header((*encoder.assumed, *predictor.assumed), told)


def common_header(assumed: Sequence[str], told: Told) -> dict[str, str]:
    """What a header says of any file that is converted."""
    header = {"date": datetime.date.today().isoformat(), "made_by": f"vjepa-mpc convert {__version__}"}
    if assumed:
        header["assumed"] = ", ".join(assumed)
    if told.seconds_a_step is not None:
        header["seconds_a_step"] = f"{told.seconds_a_step:g}"
    if told.crop is not None:
        header["crop"] = told.crop
    return header


def other_encoder(encoder: OpenedEncoder, predictor: OpenedPredictor) -> str:
    """How it is known that a predictor was trained with another encoder than this one; empty where it is not."""
    if encoder.source.path == predictor.source.path:
        return predictor.source.header.get("predictor_trained_with", "").removeprefix(THE_SAME)
    brought = predictor.source.header.get("predictor_trained_with", "")
    if brought.startswith(_ANOTHER):
        return brought
    beside = find_encoder(predictor.source)
    if beside is not None:
        away = distance(encoder.part.state, beside.state)
        if away <= _SAME_ENCODER:
            return ""
        return (
            f"{_ANOTHER}: the one beside it in {predictor.source.path.name} (fingerprint {fingerprint(beside.state)}), "
            f"whose weights differ by {away:.1%}"
        )
    named = predictor.source.header.get("encoder_fingerprint")
    if named is None or named in (encoder.source.header.get("encoder_fingerprint"), fingerprint(encoder.part.state)):
        return ""
    return f"{_ANOTHER}: fingerprint {named}, as the header of {predictor.source.path.name} says"


def distance(state: StateDict, other: StateDict) -> float:
    """How far two networks' weights are apart: the largest relative difference of a matrix, 1 for other shapes."""
    if {key: weight.shape for key, weight in state.items()} != {key: weight.shape for key, weight in other.items()}:
        return 1.0
    matrices = [key for key, weight in state.items() if weight.ndim > 1]
    return max((_relative(state[key], other[key]) for key in matrices), default=0.0)


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while block := opened.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _relative(a: torch.Tensor, b: torch.Tensor) -> float:
    norm = float(a.float().norm())
    return float((a.float() - b.float()).norm()) / norm if norm else float(b.float().norm() > 0)


def _trained_with(encoder: OpenedEncoder, predictor: OpenedPredictor, other: str) -> str:
    if other:
        return other
    if encoder.source.path == predictor.source.path or _tells_its_encoder(predictor.source):
        return THE_SAME
    return "not known"


def _tells_its_encoder(source: Source) -> bool:
    return "encoder_fingerprint" in source.header or find_encoder(source) is not None
