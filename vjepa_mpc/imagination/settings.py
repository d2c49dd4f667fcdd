"""How latents become pictures, as parameters have it."""

from __future__ import annotations

from dataclasses import dataclass

from vjepa_mpc.imagination.pixels.decoder import PixelDecoder, decoder_beside, open_decoder
from vjepa_mpc.options import check_options, option

NO_DECODER = "none"


@dataclass(frozen=True, kw_only=True)
class ImaginationSettings:
    """Which pixel decoder."""

    decoder: str = option(
        "",
        "File of the pixel decoder that ~/imagination is drawn with, of vjepa-mpc train-decoder or a copy of "
        "jepa-wms'; empty for the one beside the checkpoint, if there is one; none for the nearest picture that was "
        "seen.",
    )

    def __post_init__(self) -> None:
        check_options(self)

    def open(self, checkpoint: str) -> PixelDecoder | None:
        """The decoder on the CPU; None for the nearest picture.

        Args:
            checkpoint: of the world model, as the parameter of this name has it.

        Raises:
            DecoderError: the file cannot be used.
        """
        if self.decoder == NO_DECODER:
            return None
        found = self.decoder or decoder_beside(checkpoint)
        return open_decoder(found) if found else None
