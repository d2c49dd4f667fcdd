"""Training of the pixel decoder: batch -> error of the colours -> step, resumable; and how far it is off."""

from __future__ import annotations

import io
import math
import pickle
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vjepa_mpc.files import replacing
from vjepa_mpc.imagination.pixels.decoder import PixelDecoder
from vjepa_mpc.imagination.pixels.network import PixelConfig, PixelNetwork
from vjepa_mpc.training.decoder.frames import Frames
from vjepa_mpc.worldmodel import resolve_dtype

_SAMPLE = 512  # pictures that the mean one is taken of
_AT_ONCE = 64
_BEGIN_AGAIN = "give what the run began with, another --out, or --fresh to begin again"


@dataclass(frozen=True, kw_only=True)
class DecoderRecipe:
    """How a decoder is trained.

    Attributes:
        steps: of the optimiser.
        batch: pictures a step.
        rate: highest learning rate; it rises for a twentieth of the steps and falls as a cosine.
        noise: added to latents, as a share of their size 1: predictions are not exact either.
        emphasis: how much more a pixel counts that is unlike the mean picture; else the table is all that is learned.
        seed: of everything random.
    """

    steps: int = 3000
    batch: int = 32
    rate: float = 2e-3
    noise: float = 0.03
    emphasis: float = 4.0
    seed: int = 0

    def rate_at(self, step: int) -> float:
        """The learning rate of a step, from 0."""
        rise = max(1, self.steps // 20)
        if step < rise:
            return self.rate * (step + 1) / rise
        return self.rate * 0.5 * (1.0 + math.cos(math.pi * (step - rise) / max(1, self.steps - rise)))


class DecoderTrainer:
    """State of a run."""

    def __init__(self, recipe: DecoderRecipe, config: PixelConfig, frames: Frames, device: torch.device) -> None:
        self.recipe, self.frames, self.device, self.step_number = recipe, frames, device, 0
        self._rounded = resolve_dtype("auto", device) == torch.bfloat16  # a third of the time where it suits the device
        with torch.random.fork_rng():
            torch.manual_seed(recipe.seed)
            self.network = PixelNetwork(config)
        self.network.to(device)
        self.optimiser = torch.optim.AdamW(self.network.parameters(), weight_decay=1e-4, betas=(0.9, 0.95))
        self.mean = torch.from_numpy(mean_picture(frames)).to(device)

    def step(self) -> float:
        """One step of the optimiser, its batch seeded by its number; returns the mean error of colours, from 0 to 1."""
        rng = np.random.default_rng([self.recipe.seed, 1, self.step_number])
        chosen = rng.integers(0, len(self.frames), self.recipe.batch)
        latents, colours = self.frames.batch(chosen, self.device)
        noise = torch.from_numpy(rng.standard_normal(tuple(latents.shape), dtype=np.float32)).to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._rounded):
            drawn = self.network(latents + self.recipe.noise * noise)
        off = (drawn.float() - colours).abs()
        unlike = (colours - self.mean).abs().mean(dim=1, keepdim=True)
        loss = (off * (1.0 + self.recipe.emphasis * (unlike / 0.1).clamp(max=1.0))).mean()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        for group in self.optimiser.param_groups:
            group["lr"] = self.recipe.rate_at(self.step_number)
        self.optimiser.step()
        self.step_number += 1
        return float(off.detach().mean())

    def save(self, path: Path, made_with: Mapping[str, Any]) -> None:
        """Everything needed to go on later.

        Raises:
            WriteError: it could not be written; what was there before is intact.
        """
        state = {
            "made_with": {**made_with, **asdict(self.recipe), **asdict(self.network.config)},
            "step": self.step_number,
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }
        content = io.BytesIO()
        torch.save(state, content)
        with replacing(path) as partial:
            partial.write_bytes(content.getbuffer())

    def restore(self, path: Path, made_with: Mapping[str, Any]) -> None:
        """Go on from a file of :meth:`save`; from there on it is as if the run had not been interrupted.

        Raises:
            ValueError: the file is damaged, or of another run.
        """
        wanted = {**made_with, **asdict(self.recipe), **asdict(self.network.config)}
        try:
            state = torch.load(path, map_location=self.device, weights_only=True)
            before = state["made_with"]
            differing = [f"{name} was {before.get(name)}, now {value}" for name, value in wanted.items()]
            differing = [text for text, name in zip(differing, wanted, strict=True) if before.get(name) != wanted[name]]
            if differing:
                raise ValueError(f"{path} is of another run ({'; '.join(differing)}): {_BEGIN_AGAIN}")
            self.network.load_state_dict(state["network"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.step_number = int(state["step"])
        except (OSError, RuntimeError, EOFError, KeyError, TypeError, AttributeError, pickle.UnpicklingError) as error:
            raise ValueError(f"{path} is damaged or no state of such a training: {_BEGIN_AGAIN}") from error


def mean_picture(frames: Frames) -> np.ndarray:
    """Mean colours float32 [3, side, side] from 0 to 1 of some pictures, evenly chosen."""
    some = frames.pictures[:: max(1, len(frames) // _SAMPLE)]
    return np.asarray(some.mean(axis=0, dtype=np.float64).transpose(2, 0, 1) / 255.0, dtype=np.float32)


def psnr(pictures: np.ndarray, truth: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB of pictures uint8 [K, S, S, 3], all pixels together."""
    square = np.mean(
        [np.square(one.astype(np.float32) - other).mean() for one, other in zip(pictures, truth, strict=True)]
    )
    return 10.0 * math.log10(255.0**2 / max(float(square), 1e-9))


def decoded(decoder: PixelDecoder, latents: Tensor) -> np.ndarray:
    """Pictures of latents [K, N, D], some at once."""
    return np.concatenate([decoder(part.float()) for part in latents.split(_AT_ONCE)])
