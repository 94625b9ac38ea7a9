"""Memory that is freed and needed again at once: that it stays with the process in between."""

from __future__ import annotations

import numpy as np

#: Sizes up to here are met again and again in a fit: logits, gradients, blocks.  Twice as much may stay after it.
PIECE = 12 << 20


def keep_freed(size: int = PIECE) -> None:
    """Keep freed memory of up to about ``size`` bytes a piece, where the C library is glibc; elsewhere do nothing.

    glibc gives every large piece back to the system when it is freed, and the system fills the next one with zeros, a
    page at a time: a tenth of the time of work that goes through many.  It stops doing so up to the size of the largest
    piece that was freed before, or twice that for all that lies free together (mallopt(3), M_MMAP_THRESHOLD).
    """
    np.empty(size, np.uint8)
