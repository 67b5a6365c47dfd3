"""The King James Bible as a string of small letters, from Debian's package bible-kjv-text."""

from __future__ import annotations

import re
import struct
import subprocess
from itertools import pairwise
from pathlib import Path

import numpy as np

DATA = Path("/usr/lib/bible.data")
HEADER = 84
"""Bytes before the size of a window, the number of windows, and the offset of each, all big-endian."""
COMPRESS = b"\x1f\x9d\x90"
"""How a stream of `compress` begins, which the file spares each window."""
LETTERS = " abcdefghijklmnopqrstuvwxyz.,;:?!'()-\n"
"""All characters that are left; what is none of them becomes a space."""


def characters(count: int) -> np.ndarray:
    """The first `count` characters of the text, int32 places in `LETTERS`; verses without their numbers.

    Raises ValueError where the package is not installed.
    """
    try:
        data = DATA.read_bytes()
    except OSError as error:
        raise ValueError(
            f"{DATA} cannot be read: install Debian's bible-kjv-text ({error.strerror})"
        ) from error
    windows = struct.unpack_from(">I", data, HEADER + 4)[0]
    offsets = [*struct.unpack_from(f">{windows}I", data, HEADER + 8), len(data)]
    text = ""
    for begin, end in pairwise(offsets):
        if len(text) > 2 * count:
            break
        text += _unpacked(COMPRESS + data[begin:end])
    verses = re.sub(r"(?m)^\S+ ", "", text.partition("\n")[2].lower())
    places = {letter: place for place, letter in enumerate(LETTERS)}
    return np.array([places.get(letter, 0) for letter in verses[:count]], np.int32)


def _unpacked(stream: bytes) -> str:
    done = subprocess.run(["gzip", "-dc"], input=stream, capture_output=True, check=True)
    return done.stdout.decode("ascii")
