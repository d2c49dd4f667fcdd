"""Several objectives at once, each by weight."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from vjepa_mpc.options import option
from vjepa_mpc.planning.objectives import OBJECTIVES
from vjepa_mpc.planning.objectives.interface import Objective, Predicted, check_energies
from vjepa_mpc.planning.parts import Setup, make_part

Terms = tuple[tuple[str, float], ...]


def terms_to_text(terms: Terms) -> str:
    """Such as "l1=1.0, effort=0.05"."""
    return ", ".join(f"{name}={weight!r}" for name, weight in terms)


def terms_from_text(text: str) -> Terms:
    """The way back.

    Raises:
        ValueError: a piece of the text is not of this form.
    """
    terms = []
    for piece in filter(None, (piece.strip() for piece in text.split(","))):
        name, _, weight = (word.strip() for word in piece.rpartition("="))
        try:
            terms.append((name, float(weight)))
        except ValueError:
            raise ValueError(f"'{piece}' is not like l1=1.0") from None
    return tuple(terms)


class WeightedSum(Objective):
    """The sum of weight times energy; a negative weight rewards."""

    @dataclass(frozen=True, kw_only=True)
    class Options:
        """What is summed.

        Attributes:
            terms: names of objectives with their weights; as a mapping or as pairs. Each has its own options, as
                anywhere.
        """

        terms: tuple[tuple[str, float], ...] = option(
            (("l1", 1.0),),
            "With the objective sum: objectives and their weights, such as 'l1=1.0, effort=0.05'.",
            open_choices=True,
            to_plain=terms_to_text,
            from_plain=terms_from_text,
        )

        def __post_init__(self) -> None:
            pairs = self.terms.items() if isinstance(self.terms, Mapping) else self.terms
            object.__setattr__(self, "terms", tuple((name, float(weight)) for name, weight in pairs))
            names = [name for name, _ in self.terms]
            if not names or len(set(names)) < len(names) or "sum" in names:
                raise ValueError(
                    f"sum.terms='{terms_to_text(self.terms)}': name at least one objective, none of them twice, and "
                    "not the sum itself"
                )
            if not all(math.isfinite(weight) for _, weight in self.terms):
                raise ValueError(f"sum.terms='{terms_to_text(self.terms)}': use finite weights")

    def __init__(self, options: Options) -> None:
        self._options = options

    def prepare(self, setup: Setup) -> None:
        """Make the terms."""
        self._terms = [(weight, make_part(OBJECTIVES, name, setup)) for name, weight in self._options.terms]

    def __call__(self, predicted: Predicted, goal: Tensor) -> Tensor:
        """See :class:`Objective`."""
        candidates = len(predicted.actions)
        energies = (weight * check_energies(term(predicted, goal), candidates, term) for weight, term in self._terms)
        return torch.stack(list(energies)).sum(dim=0)
