"""Episodes whose pictures differ in size from those of the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from vjepa_mpc.data.evidence import Evidence
from vjepa_mpc.data.finding import Finding, Found


class MixedSizes(Finding):
    """By the pictures' sizes."""

    name = "MIXED_SIZES"

    def look(self, evidence: Sequence[Evidence]) -> Iterator[Found]:
        """See :class:`Finding`."""
        sizes = Counter(each.size for each in evidence)
        if len(sizes) < 2:
            return
        usual = sizes.most_common(1)[0][0]
        others = tuple(each.episode.name for each in evidence if each.size != usual)
        told = ", ".join(f"{width} x {height} ({count})" for (width, height), count in sizes.most_common())
        text = f"pictures have different sizes: {told}; was another camera or crop used?"
        yield Found(name=self.name, text=text, episodes=others)
