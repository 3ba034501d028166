"""Keep the process small, and the collector away from what stays.

The columns of the store grow to megabytes while thousands of small things come and go.
The C library would put them among those and leave holes as they move (with 100,000 jobs
5 MiB of them); told where large begins, it gives each column pages of its own. The few
threads need no heaps of their own either.
"""

from __future__ import annotations

import gc
import sys
from contextlib import suppress

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # malloc.h of glibc
LARGE_BYTES = 1 << 16


def part_large_from_small() -> None:
    """Let large blocks have pages of their own, where the C library can be asked for that."""
    if sys.platform == "linux":
        import ctypes

        with suppress(OSError, AttributeError):
            mallopt = ctypes.CDLL(None).mallopt
            for parameter, value in (
                (M_MMAP_THRESHOLD, LARGE_BYTES),
                (M_TRIM_THRESHOLD, LARGE_BYTES),
                (M_ARENA_MAX, 1),
            ):
                mallopt(parameter, value)


def settle() -> None:
    """A hundred thousand rows that stay are none of the collector's business: it would pause us for them."""
    gc.collect()
    gc.freeze()
