"""Text in blocks, kept as numbers: each different text once, and for each row its place among them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from softreg.tables import labels


def code(text: pl.Series) -> tuple[list[str], np.ndarray]:
    """The different texts in the order they are met, and each row's place among them; -1 where text is null."""
    levels = text.unique(maintain_order=True).drop_nulls().to_list()
    codes = text.cast(pl.Enum(levels)).to_physical()
    return levels, (codes.cast(pl.Int64).fill_null(-1) if codes.null_count() else codes).to_numpy()


class Coded:
    """Grows a block at a time; ``levels`` in the order they are met, a missing cell is -1."""

    def __init__(self) -> None:
        self._place: dict[str, int] = {}
        self._parts: list[np.ndarray] = []

    def add(self, levels: Sequence[str], codes: np.ndarray) -> None:
        """One more block: what `code` finds in it."""
        places = [self._place.setdefault(level, len(self._place)) for level in levels]
        self._parts.append(np.array([*places, -1], dtype=np.int32)[codes])  # the last place is that of missing cells

    @property
    def levels(self) -> list[str]:
        """The different texts."""
        return list(self._place)

    @property
    def codes(self) -> np.ndarray:
        """(n,) int32 places in ``levels``."""
        if len(self._parts) != 1:
            self._parts = [np.concatenate([np.empty(0, np.int32), *self._parts])]
        return self._parts[0]

    def classes(self) -> tuple[np.ndarray, np.ndarray]:
        """As labels: (classes in order, codes)."""
        classes = labels.text_classes(self.levels)
        rank = {labels.label_text(label): k for k, label in enumerate(classes.tolist())}
        places = np.array([rank[level] for level in self._place], dtype=np.int32)
        return classes, places[self.codes] if len(places) else np.empty(0, np.int32)
