"""What a world model is made of: sizes of the V-JEPA 2 encoder and of the V-JEPA 2-AC predictor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, TypeVar, get_args

VJEPA2, VJEPA21 = "vjepa2", "vjepa2.1"
FAMILIES = (VJEPA2, VJEPA21)
FrameAs = Literal["clip", "image"]
# V-JEPA 2.1 norms four layers of its encoder, by its depth (upstream `app/vjepa_2_1/models/vision_transformer.py`).
NORMED_LAYERS = {12: (2, 5, 8, 11), 24: (5, 11, 17, 23), 40: (9, 19, 29, 39), 48: (11, 23, 37, 47)}

_Setup = TypeVar("_Setup", bound="EncoderSetup")


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
class EncoderSetup:
    """Everything that must be known beside the weights to encode pictures.

    Attributes:
        family: ``vjepa2`` or ``vjepa2.1``.
        img_size: side of the pictures in pixels.
        patch_size: side of a patch in pixels.
        tubelet_size: frames of a clip that make one time step.
        encoder: its sizes.
        frame_as: how a picture is shown to the encoder: ``clip``, repeated to a tubelet, or ``image``, as the one-frame
            clip that V-JEPA 2.1 has weights for. None for what the family does with pictures: ``clip`` for V-JEPA 2.
        dense: latents are all four normed layers of V-JEPA 2.1 side by side, not the last one alone.
    """

    family: str = VJEPA2
    img_size: int
    patch_size: int = 16
    tubelet_size: int = 2
    encoder: EncoderConfig
    frame_as: FrameAs | None = None
    dense: bool = False

    def __post_init__(self) -> None:
        if self.patch_size < 1 or self.img_size < 1 or self.img_size % self.patch_size:
            raise ValueError(
                f"img_size={self.img_size} is not a multiple of patch_size={self.patch_size}: the image must divide "
                "into whole patches"
            )
        _check_heads("encoder", self.encoder.embed_dim, self.encoder.num_heads)
        self._check_family()

    def _check_family(self) -> None:
        if self.family not in FAMILIES:
            raise ValueError(f"family={self.family!r} is unknown: use one of {', '.join(FAMILIES)}")
        if self.frame_as is not None and self.frame_as not in get_args(FrameAs):
            raise ValueError(f"frame_as={self.frame_as!r} is unknown: use one of {', '.join(get_args(FrameAs))}")
        if self.family == VJEPA2 and (self.frame_as == "image" or self.dense):
            raise ValueError(
                f"frame_as={self.frame_as!r}, dense={self.dense}: only V-JEPA 2.1 encodes single images and has dense "
                f"features; with family={VJEPA2} leave both out"
            )
        if self.family == VJEPA21 and self.encoder.depth not in NORMED_LAYERS:
            raise ValueError(
                f"encoder.depth={self.encoder.depth}: V-JEPA 2.1 encoders have "
                f"{', '.join(map(str, NORMED_LAYERS))} layers, and which layers are normed is known for those only"
            )

    @property
    def grid_size(self) -> int:
        """Patches along one side of a frame."""
        return self.img_size // self.patch_size

    @property
    def tokens_per_frame(self) -> int:
        """Patches of a frame, that is, latent tokens a time step."""
        return self.grid_size**2

    @property
    def latent_dim(self) -> int:
        """Features of a latent token."""
        return self.encoder.embed_dim * (len(NORMED_LAYERS[self.encoder.depth]) if self.dense else 1)

    @property
    def frames_per_picture(self) -> int:
        """Frames of the clip that a picture is encoded as."""
        single = self.frame_as == "image" or (self.frame_as is None and self.family == VJEPA21)
        return 1 if single else self.tubelet_size

    @classmethod
    def from_dict(cls: type[_Setup], config: Mapping[str, Any]) -> _Setup:
        """Read the nested form that checkpoints carry; keys that describe something else are ignored.

        Raises:
            ValueError: an entry is missing, unknown or not usable.
        """
        try:
            return cls(**cls._fields(config))
        except (KeyError, TypeError) as error:
            raise ValueError(
                f"model config is incomplete or has an unknown entry ({error}); it needs img_size, "
                f"encoder {{embed_dim, depth, num_heads, mlp_ratio}}{cls._NEEDS_TOO}"
            ) from error

    _NEEDS_TOO = ""

    @classmethod
    def _fields(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "family": str(config.get("family", VJEPA2)),
            "img_size": int(config["img_size"]),
            "patch_size": int(config.get("patch_size", 16)),
            "tubelet_size": int(config.get("tubelet_size", 2)),
            "encoder": EncoderConfig(**config["encoder"]),
            "frame_as": config.get("frame_as"),
            "dense": bool(config.get("dense", False)),
        }

    def to_dict(self) -> dict[str, Any]:
        """The nested form that :meth:`from_dict` reads.

        What every V-JEPA 2 model has in common is left out: versions before there were other families read it, too.
        """
        common = {"family": VJEPA2, "frame_as": None, "dense": False}
        return {name: value for name, value in asdict(self).items() if name not in common or value != common[name]}


@dataclass(frozen=True, kw_only=True)
class ModelConfig(EncoderSetup):
    """Everything that must be known beside the weights to build a world model."""

    predictor: PredictorConfig

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.latent_dim != self.predictor.embed_dim:
            latents = f"latents of {self.latent_dim} features ({'dense, ' if self.dense else ''}encoder.embed_dim="
            raise ValueError(
                f"{latents}{self.encoder.embed_dim}) and predictor.embed_dim={self.predictor.embed_dim} "
                "differ: the predictor reads and writes the encoder's latents, so both must be the same"
            )
        _check_heads("predictor", self.predictor.predictor_embed_dim, self.predictor.num_heads)

    _NEEDS_TOO = " and predictor {embed_dim, predictor_embed_dim, depth, num_heads, mlp_ratio}"

    @classmethod
    def _fields(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        return {**super()._fields(config), "predictor": PredictorConfig(**config["predictor"])}

    @property
    def encoder_setup(self) -> EncoderSetup:
        """What is about the encoder alone."""
        return EncoderSetup(**{field.name: getattr(self, field.name) for field in fields(EncoderSetup)})


def _check_heads(part: str, dim: int, heads: int) -> None:
    if heads < 1 or dim % heads:
        raise ValueError(f"{part}: {dim} features do not divide into {heads} attention heads")


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


def _setup(family: str, img_size: int, embed_dim: int, depth: int, num_heads: int, mlp_ratio: float) -> EncoderSetup:
    sizes = EncoderConfig(embed_dim=embed_dim, depth=depth, num_heads=num_heads, mlp_ratio=mlp_ratio)
    return EncoderSetup(family=family, img_size=img_size, encoder=sizes)


# Published encoders that come without an action-conditioned predictor.
ENCODER_SETUPS: dict[str, EncoderSetup] = {
    "vjepa2_1_vitb": _setup(VJEPA21, 384, 768, 12, 12, 4.0),
    "vjepa2_1_vitl": _setup(VJEPA21, 384, 1024, 24, 16, 4.0),
    "vjepa2_1_vitg": _setup(VJEPA21, 384, 1408, 40, 22, 48 / 11),
    "vjepa2_1_vitG": _setup(VJEPA21, 384, 1664, 48, 26, 64 / 13),
}
