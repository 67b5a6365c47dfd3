"""Reads idx files, in which MNIST and its successors are published (LeCun, Cortes and Burges, 1998)."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import UInt8

BYTES = b"\0\0\x08"
"""How a file of unsigned bytes begins; the number of axes follows."""


def read(path: Path) -> UInt8[np.ndarray, "*shape"]:
    """The array in an idx file, gzipped or not.

    Raises ValueError, naming the file, where it cannot be read, or is cut short or something else.
    """
    try:
        data = path.read_bytes()
        if path.suffix == ".gz":
            data = gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    if len(data) < 4 or not data.startswith(BYTES):
        raise ValueError(
            f"{path} is not an idx file of bytes: it begins with {data[:4].hex(' ') or 'nothing'}"
        )
    start = 4 + 4 * data[3]
    if len(data) < start:
        raise ValueError(
            f"{path} is cut short: it has {len(data)} bytes, and its header alone would take {start}"
        )
    shape = struct.unpack(f">{data[3]}I", data[4:start])
    if len(data) != start + math.prod(shape):
        raise ValueError(
            f"{path} has {len(data)} bytes; its header {list(shape)} promises {start + math.prod(shape)}"
        )
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)
