"""The parts of a checkpoint with their architecture, ready to be built or written."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vjepa_mpc.worldmodel.checkpoints.architecture import read_encoder, read_predictor
from vjepa_mpc.worldmodel.checkpoints.errors import CheckpointError, NotToldError
from vjepa_mpc.worldmodel.checkpoints.parts import (
    Part,
    entry_names,
    find_encoder,
    find_predictor,
    has_masked_predictor,
)
from vjepa_mpc.worldmodel.checkpoints.source import Source
from vjepa_mpc.worldmodel.checkpoints.told import Told
from vjepa_mpc.worldmodel.vjepa.config import EncoderSetup, ModelConfig, PredictorConfig

_JOIN = "`vjepa-mpc convert --encoder ENCODER --predictor PREDICTOR OUT`"


@dataclass(frozen=True, kw_only=True)
class OpenedEncoder:
    """An encoder in a checkpoint; its weights are not checked before it is built.

    Attributes:
        source: the checkpoint.
        part: its weights.
        setup: its architecture.
        assumed: of the architecture, in words.
    """

    source: Source
    part: Part
    setup: EncoderSetup
    assumed: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class OpenedPredictor:
    """An action-conditioned predictor in a checkpoint. Attributes as of :class:`OpenedEncoder`."""

    source: Source
    part: Part
    config: PredictorConfig
    assumed: tuple[str, ...] = ()


def open_encoder(source: Source, told: Told = Told()) -> OpenedEncoder:  # noqa: B008  # frozen
    """The encoder of a checkpoint.

    Raises:
        CheckpointError: there is none, or its architecture is not known.
    """
    part = find_encoder(source)
    if part is None:
        what = "a predictor alone" if find_predictor(source) is not None else "neither encoder nor predictor"
        raise CheckpointError(
            f"{source.path} has no encoder weights: it holds {what} (its entries: {entry_names(source)}). Join a "
            f"predictor with the encoder that it was trained with: {_JOIN}"
        )
    if source.config is None:
        setup, assumed = read_encoder(source.path, part, told.over(source.told))
        return OpenedEncoder(source=source, part=part, setup=setup, assumed=tuple(assumed))
    return OpenedEncoder(source=source, part=part, setup=_embedded(source, source.config, EncoderSetup, told))


def open_predictor(source: Source, told: Told = Told()) -> OpenedPredictor:  # noqa: B008  # frozen
    """The action-conditioned predictor of a checkpoint.

    Raises:
        CheckpointError: there is none, or its architecture is not known.
    """
    part = find_predictor(source)
    if part is None:
        raise CheckpointError(_no_predictor(source))
    if source.config is None:
        config, assumed = read_predictor(source.path, part, told.over(source.told))
        return OpenedPredictor(source=source, part=part, config=config, assumed=tuple(assumed))
    config = _embedded(source, source.config, ModelConfig, Told()).predictor
    if told.pred_heads is not None:
        config = dataclasses.replace(config, num_heads=told.pred_heads)
    return OpenedPredictor(source=source, part=part, config=config)


def open_model(
    encoder_source: Source,
    predictor_source: Source,
    told: Told = Told(),  # noqa: B008  # frozen
) -> tuple[OpenedEncoder, OpenedPredictor]:
    """Encoder and predictor of a world model, of one checkpoint or two.

    Raises:
        CheckpointError: one of them is not there, or its architecture is not known; all that is missing is named.
    """
    if find_predictor(predictor_source) is None:
        raise CheckpointError(_no_predictor(predictor_source))
    try:
        encoder = open_encoder(encoder_source, told)
    except NotToldError as error:
        try:
            open_predictor(predictor_source, told)
        except NotToldError as other:
            raise error.with_(other) from error
        raise
    return encoder, open_predictor(predictor_source, told)


def joined(encoder: OpenedEncoder, predictor: OpenedPredictor) -> ModelConfig:
    """The config of both together.

    Raises:
        CheckpointError: they do not fit together.
    """
    try:
        return with_predictor(encoder, predictor.config)
    except ValueError as error:
        names = {str(part.source.path): None for part in (encoder, predictor)}
        raise CheckpointError(f"{' with '.join(names)}: {error}") from error


def with_predictor(encoder: OpenedEncoder, predictor: PredictorConfig) -> ModelConfig:
    """The config of an encoder with a predictor of these sizes.

    Raises:
        ValueError: they do not fit together.
    """
    setup = {field.name: getattr(encoder.setup, field.name) for field in dataclasses.fields(EncoderSetup)}
    return ModelConfig(**setup, predictor=predictor)


def _embedded(source: Source, config: Mapping[str, Any], kind: type[EncoderSetup], told: Told) -> Any:
    changes: dict[str, Any] = {
        name: getattr(told, name) for name in ("img_size", "frame_as", "dense") if getattr(told, name) is not None
    }
    if told.encoder_heads is not None:
        changes["encoder"] = {**config.get("encoder", {}), "num_heads": told.encoder_heads}
    try:
        return kind.from_dict({**config, **changes})
    except ValueError as error:
        raise CheckpointError(f"{source.path}: its embedded config is not usable: {error}") from error


def _no_predictor(source: Source) -> str:
    if find_encoder(source) is None:
        return (
            f"{source.path} has neither encoder nor predictor weights (its entries: {entry_names(source)}): it is no "
            "V-JEPA 2 checkpoint"
        )
    masked = " with the predictor of masked patches from its pre-training" if has_masked_predictor(source) else ""
    return (
        f"{source.path} has no predictor weights that read actions: it is a video encoder alone{masked}. Planning "
        "needs an action-conditioned checkpoint such as vjepa2-ac-vitg.pt; train a predictor for this encoder with "
        f"`vjepa-mpc post-train --encoder`, or join one that was trained with it: {_JOIN}"
    )
