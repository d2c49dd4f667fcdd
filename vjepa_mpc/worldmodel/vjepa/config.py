"""What a world model is made of: sizes of the V-JEPA 2 encoder and of the V-JEPA 2-AC predictor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class EncoderConfig:
    """Sizes of the vision transformer that turns frames into latents (upstream ``vision_transformer.py``)."""

    embed_dim: int
    depth: int
    num_heads: int
    mlp_ratio: float = 4.0


@dataclass(frozen=True, kw_only=True)
class PredictorConfig:
    """Sizes of the action-conditioned predictor (upstream ``ac_predictor.py``)."""

    embed_dim: int
    predictor_embed_dim: int
    depth: int
    num_heads: int
    mlp_ratio: float = 4.0


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Everything that must be known beside the weights to build a world model.

    ``img_size`` and ``patch_size`` are in pixels, ``tubelet_size`` in frames.
    """

    img_size: int
    patch_size: int = 16
    tubelet_size: int = 2
    encoder: EncoderConfig
    predictor: PredictorConfig

    def __post_init__(self) -> None:
        if self.patch_size < 1 or self.img_size < 1 or self.img_size % self.patch_size:
            raise ValueError(
                f"img_size={self.img_size} is not a multiple of patch_size={self.patch_size}: the image must divide "
                "into whole patches"
            )
        if self.encoder.embed_dim != self.predictor.embed_dim:
            raise ValueError(
                f"encoder.embed_dim={self.encoder.embed_dim} and predictor.embed_dim={self.predictor.embed_dim} "
                "differ: the predictor reads and writes the encoder's latents, so both must be the same"
            )
        for part, dim, heads in (
            ("encoder", self.encoder.embed_dim, self.encoder.num_heads),
            ("predictor", self.predictor.predictor_embed_dim, self.predictor.num_heads),
        ):
            if heads < 1 or dim % heads:
                raise ValueError(f"{part}: {dim} features do not divide into {heads} attention heads")

    @property
    def grid_size(self) -> int:
        """Patches along one side of a frame."""
        return self.img_size // self.patch_size

    @property
    def tokens_per_frame(self) -> int:
        """Patches of a frame, that is, latent tokens a time step."""
        return self.grid_size**2

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> ModelConfig:
        """Read the nested form that checkpoints carry; keys that describe something else are ignored."""
        try:
            return cls(
                img_size=int(config["img_size"]),
                patch_size=int(config.get("patch_size", 16)),
                tubelet_size=int(config.get("tubelet_size", 2)),
                encoder=EncoderConfig(**config["encoder"]),
                predictor=PredictorConfig(**config["predictor"]),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(
                f"model config is incomplete or has an unknown entry ({error}); it needs img_size, "
                "encoder {embed_dim, depth, num_heads, mlp_ratio} and "
                "predictor {embed_dim, predictor_embed_dim, depth, num_heads, mlp_ratio}"
            ) from error

    def to_dict(self) -> dict[str, Any]:
        """The nested form that :meth:`from_dict` reads."""
        return asdict(self)


def _published(embed_dim: int, depth: int, num_heads: int, mlp_ratio: float) -> ModelConfig:
    """A published V-JEPA 2 encoder at 256 px with the published V-JEPA 2-AC predictor sizes."""
    return ModelConfig(
        img_size=256,
        encoder=EncoderConfig(embed_dim=embed_dim, depth=depth, num_heads=num_heads, mlp_ratio=mlp_ratio),
        predictor=PredictorConfig(embed_dim=embed_dim, predictor_embed_dim=1024, depth=24, num_heads=16),
    )


MODEL_CONFIGS: dict[str, ModelConfig] = {
    "vit_large": _published(1024, 24, 16, 4.0),
    "vit_huge": _published(1280, 32, 16, 4.0),
    "vit_giant": _published(1408, 40, 22, 48 / 11),
    # The bundled model: the same architecture, small enough to plan twice a second on two CPU cores.
    "franka_tiny": ModelConfig(
        img_size=128,
        encoder=EncoderConfig(embed_dim=192, depth=4, num_heads=3),
        predictor=PredictorConfig(embed_dim=192, predictor_embed_dim=192, depth=4, num_heads=3),
    ),
}
