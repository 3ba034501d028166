"""The ids of jobs: 80 random bits as 16 characters that survive being read aloud.

The alphabet is Crockford's base32 (no I, L, O, U). An element of an array is
`<id>:<index>`. People see the last six characters.
"""

from __future__ import annotations

import os
import re

from relayq.errors import SpecError

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_SHIFTS = range(75, -1, -5)
_ID = r"[0-9A-HJKMNP-TV-Z]{16}(?::(?:0|[1-9][0-9]{0,9}))?"


def new_id(mark: str = "") -> str:
    """A fresh id; the jobs of a submit-only user begin with its mark (hub/acl.py)."""
    number = int.from_bytes(os.urandom(10), "big")
    fresh = "".join([ALPHABET[number >> shift & 31] for shift in _SHIFTS])
    return mark + fresh[len(mark) :]


def is_id(text: str) -> bool:
    """Is it the full id of a job or of an array's element?"""
    return re.fullmatch(_ID, text) is not None


def check_id(value: object, field: str) -> str:
    """A full id, or SpecError."""
    if not isinstance(value, str) or not is_id(value):
        raise SpecError(f"{ascii(value)[:60]} is not the id of a job: 16 characters (field '{field}')")
    return value


def short(job: str) -> str:
    """The id as people see it: its last six characters, and the index of an element."""
    base, colon, index = job.partition(":")
    return base[-6:] + colon + index
