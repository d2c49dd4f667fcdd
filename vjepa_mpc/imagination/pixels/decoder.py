"""A pixel decoder that belongs to an encoder, and its file."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from vjepa_mpc.files import expanded, replacing
from vjepa_mpc.imagination.pixels import jepa_wms
from vjepa_mpc.imagination.pixels.network import PixelConfig, PixelNetwork
from vjepa_mpc.registry import names_code
from vjepa_mpc.worldmodel import CheckpointError, bundled_model_path
from vjepa_mpc.worldmodel.checkpoints.opening import open_source
from vjepa_mpc.worldmodel.checkpoints.source import Source
from vjepa_mpc.worldmodel.vjepa.weights import with_weights

SUFFIX = ".decoder.safetensors"
MEASURED = "held_out"  # header text: how far it is off
_CONFIG, _NETWORK, _SIGHT = "vjepa_mpc.pixel_decoder", "network.", "sight"
# Of the latents' mean size. Rounding the bundled model to bfloat16 moves them by 0.004; random weights, by 1.4.
_SAME_SIGHT = 0.15

logger = logging.getLogger(__name__)


class DecoderError(ValueError):
    """A file that cannot be used as a pixel decoder, or not with this model; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PixelDecoder:
    """Makes pictures of latents.

    Attributes:
        network: latents [B, N, D] -> colours [B, 3, side, side], 0 to 1; it has ``latent_dim`` and ``side``.
        name: of its file.
        sight: [N, D] float32 latent of the probe picture, as the encoder has it that the decoder belongs to; None where
            the file does not say.
        card: texts about where it comes from.
    """

    network: nn.Module
    latent_dim: int
    side: int
    name: str
    sight: Tensor | None = None
    card: Mapping[str, str] = field(default_factory=dict)

    @torch.no_grad()
    def __call__(self, latents: Tensor) -> np.ndarray:
        """Pictures uint8 RGB [B, side, side, 3] of latents [B, N, D]; waits for the device."""
        device = next(self.network.parameters()).device
        colours = self.network(latents.to(device)).float()
        return np.asarray((255.0 * colours.clamp(0.0, 1.0)).round().byte().permute(0, 2, 3, 1).cpu().numpy())

    def require_belongs(self, sight: Tensor) -> None:
        """See to it that the decoder was made for a model's latents.

        Args:
            sight: [N, D] latent that the model has of the probe picture.

        Raises:
            DecoderError: their shape is another one, or another encoder made them.
        """
        tokens, features = sight.shape
        if features != self.latent_dim or math.isqrt(tokens) ** 2 != tokens:
            raise DecoderError(
                f"{self.name} decodes squares of tokens with {self.latent_dim} features, and this model has {tokens} "
                f"tokens of {features}: {_OWN}"
            )
        if self.sight is None:
            logger.warning("%s does not say which encoder it belongs to: only the shape of its latents fits", self.name)
            return
        if len(self.sight) != tokens:
            raise DecoderError(
                f"{self.name} is for {len(self.sight)} tokens, and this model has {tokens} a picture: {_OWN}"
            )
        away = sight_distance(self.sight, sight.float().cpu())
        if away > _SAME_SIGHT:
            raise DecoderError(
                f"{self.name} belongs to another encoder than this model's: their latents of the probe picture differ "
                f"by {away:.0%}, beyond {_SAME_SIGHT:.0%}: {_OWN}"
            )


_OWN = "name the one that belongs to it, or train one with `vjepa-mpc train-decoder`"


def probe_picture() -> np.ndarray:
    """What encoders are told apart by: stripes and patches in all colours, uint8 RGB [256, 256, 3]."""
    y, x = np.mgrid[0:256, 0:256].astype(np.float64)
    waves = np.stack([np.sin(x / 9.0 + y / 31.0), np.sin(y / 13.0), np.sin((x * y) ** 0.5 / 11.0)], axis=-1)
    patches = ((x // 32 + 2 * (y // 32)) % 5)[..., None] / 4.0
    return np.rint(255.0 * (0.35 * (waves + 1.0) + 0.3 * patches)).astype(np.uint8)


def sight_distance(first: Tensor, second: Tensor) -> float:
    """How far two latents are apart, as a share of their mean size."""
    return float((first - second).abs().mean() / first.abs().mean().clamp_min(1e-9))


def save_decoder(path: Path, network: PixelNetwork, sight: Tensor, card: Mapping[str, str]) -> None:
    """Write a decoder as fp16 safetensors with its config and texts embedded.

    Raises:
        WriteError: it could not be written; what was there before is intact.
    """
    tensors = {f"{_NETWORK}{key}": value.detach().cpu().half() for key, value in network.state_dict().items()}
    tensors[_SIGHT] = sight.half()
    header = {**card, _CONFIG: json.dumps(asdict(network.config))}
    with replacing(path, SafetensorError) as partial:
        partial.touch()  # with the permissions that new files get here
        permissions = partial.stat().st_mode
        save_file({key: value.contiguous() for key, value in tensors.items()}, str(partial), metadata=header)
        partial.chmod(permissions)


def open_decoder(path: str | Path, device: torch.device | str = "cpu") -> PixelDecoder:
    """Open a decoder of ours, or a copy of jepa-wms' one; ``~`` is the home folder.

    Raises:
        DecoderError: it is none, not whole, or not finite.
    """
    try:
        source = open_source(path)
        if _CONFIG in source.header:
            return _ours(source, device)
        if (theirs := jepa_wms.weights_in(source.entries)) is not None:
            network = jepa_wms.build(theirs).to(device).eval()
            return PixelDecoder(network=network, latent_dim=network.latent_dim, side=network.side, name=str(path))
    except CheckpointError as error:
        raise DecoderError(f"the pixel decoder cannot be read: {error}") from error
    except (ValueError, KeyError) as error:
        raise DecoderError(f"{path} is no usable pixel decoder: {error}") from error
    raise DecoderError(
        f"{path} is {source.form} without a pixel decoder in it: give one of `vjepa-mpc train-decoder`, or a copy of "
        "the decoder that jepa-wms publishes"
    )


def _ours(source: Source, device: torch.device | str) -> PixelDecoder:
    config = PixelConfig.from_dict(json.loads(source.header[_CONFIG]))
    state = {key.removeprefix(_NETWORK): value for key, value in source.entries.items() if key.startswith(_NETWORK)}
    network = with_weights(lambda: PixelNetwork(config), state, "pixel decoder", device, torch.float32).eval()
    return PixelDecoder(
        network=network,
        latent_dim=config.latent_dim,
        side=config.side,
        name=str(source.path),
        sight=source.entries[_SIGHT].float(),
        card={name: text for name, text in source.header.items() if name != _CONFIG},
    )


def decoder_beside(checkpoint: str) -> Path | None:
    """The decoder that lies beside a model's file, as the bundled one's does; None without one.

    Args:
        checkpoint: as the parameter of this name has it; empty for the bundled model.
    """
    if names_code(checkpoint):
        return None
    model = expanded(checkpoint) if checkpoint else bundled_model_path()
    beside = model.with_name(model.stem + SUFFIX)
    return beside if beside.is_file() else None
