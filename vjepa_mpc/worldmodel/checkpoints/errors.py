"""What goes wrong with checkpoints."""

from __future__ import annotations

from collections.abc import Sequence


class CheckpointError(ValueError):
    """A file that cannot be used as a model; the message says why and what to do."""


class NotToldError(CheckpointError):
    """The weights are of no known architecture, and do not show all of it.

    Args:
        file: that they are in.
        sizes: of the parts, as far as the weights show them.
        options: of ``vjepa-mpc convert`` that tell what is missing.
    """

    def __init__(self, file: object, sizes: Sequence[str], options: Sequence[str]) -> None:
        super().__init__(
            f"{file}: no known architecture has {' and '.join(sizes)}, and the weights do not show attention heads or "
            "the size of pictures: convert it with `vjepa-mpc convert --config` and the YAML that it was trained with, "
            f"or with {', '.join(options)}. If there should be more layers, the file is not whole"
        )
        self.file, self.sizes, self.options = file, tuple(sizes), tuple(options)

    def with_(self, other: NotToldError) -> NotToldError:
        """Both in one message."""
        files = dict.fromkeys((str(self.file), str(other.file)))
        return NotToldError(" with ".join(files), (*self.sizes, *other.sizes), (*self.options, *other.options))
