"""What a run starts from and what it leaves: world-model files, and the card in their header."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from vjepa_mpc.files import WriteError, replacing, write_text
from vjepa_mpc.training.post_training.config import PostTrainingError
from vjepa_mpc.training.post_training.recipe import PredictorSizes
from vjepa_mpc.worldmodel import (
    CheckpointError,
    FrameEncoder,
    ModelConfig,
    Predictor,
    PredictorConfig,
    build_encoder,
    build_world_model,
    save_world_model,
)
from vjepa_mpc.worldmodel.checkpoints.loading import joined, open_encoder, open_model, with_predictor
from vjepa_mpc.worldmodel.checkpoints.opening import open_source
from vjepa_mpc.worldmodel.checkpoints.provenance import fingerprint

MODEL_FILE = "model.safetensors"
CARD_FILE = "model.md"
BEST_FILE = "best_predictor.safetensors"


@dataclass(frozen=True)
class Start:
    """The model before the run.

    Attributes:
        path: of the file with the encoder.
        config: of encoder and predictor.
        encoder_state: memory-mapped.
        predictor_state: None to train from scratch.
        header: the file's own metadata.
    """

    path: Path
    config: ModelConfig
    encoder_state: Mapping[str, Tensor]
    predictor_state: Mapping[str, Tensor] | None
    header: Mapping[str, str]

    @classmethod
    def from_checkpoint(cls, path: Path) -> Start:
        """Encoder and predictor of a world model in any form."""
        source = open_source(path)
        encoder, predictor = open_model(source, source)
        config = joined(encoder, predictor)
        return cls(source.path, config, encoder.part.state, predictor.part.state, source.header)

    @classmethod
    def from_encoder(cls, path: Path, sizes: PredictorSizes) -> Start:
        """The encoder of a checkpoint in any form, and a new predictor."""
        source = open_source(path)
        encoder = open_encoder(source)
        predictor = PredictorConfig(embed_dim=encoder.setup.latent_dim, **dataclasses.asdict(sizes))
        config = with_predictor(encoder, predictor)
        return cls(source.path, config, encoder.part.state, None, source.header)

    def encoder_fingerprint(self) -> str:
        """Hash of the encoder's weights, whatever file they lie in."""
        return fingerprint(self.encoder_state)

    def encoder(self, device: torch.device, dtype: torch.dtype) -> FrameEncoder:
        """The encoder, to encode pictures with.

        Raises:
            CheckpointError: its weights are not those of its architecture, or not finite.
        """
        try:
            return FrameEncoder(build_encoder(self.config, self.encoder_state, device, dtype))
        except ValueError as error:
            raise CheckpointError(f"{self.path}: {error}") from error

    def predictor(self, seed: int) -> Predictor:
        """The predictor to train, on the CPU: the file's, or new weights of a seed."""
        if self.predictor_state is None:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                return Predictor(self.config)
        try:
            return build_world_model(self.config, self.encoder_state, self.predictor_state).predictor
        except ValueError as error:
            raise CheckpointError(f"{self.path}: {error}") from error


def save_best(out: Path, predictor: Mapping[str, Tensor]) -> None:
    """Keep the weights of the best predictor so far."""
    weights = {key: value.contiguous() for key, value in predictor.items()}
    file = out / BEST_FILE
    with _intact(), replacing(file, SafetensorError) as partial:
        save_file(weights, partial)


def write_model(out: Path, start: Start, card: Mapping[str, str], dtype: torch.dtype) -> Path:
    """Write the best predictor with the encoder as one file that the node loads, and its card beside it."""
    predictor = load_file(out / BEST_FILE)
    file = out / MODEL_FILE
    lines = [f"| {name} | {value} |" for name, value in card.items()]
    with _intact():
        save_world_model(file, start.config, start.encoder_state, predictor, dtype, metadata=card)
        write_text(out / CARD_FILE, "\n".join([f"# {file.name}", "", "| | |", "|---|---|", *lines, ""]))
    return file


@contextmanager
def _intact() -> Iterator[None]:
    """Say of a file that could not be written that the run is not lost."""
    try:
        yield
    except WriteError as error:
        raise PostTrainingError(
            f"{error}: make room and run the same command again; the run's checkpoint is intact"
        ) from error
