"""Idx files: plain and gzipped ones are read, all others are refused by name."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from sgdr.workloads import idx

ARRAY = np.random.default_rng(0).integers(256, size=(5, 3, 4)).astype(np.uint8)
CONTENT = b"\0\0\x08\x03" + struct.pack(">3I", 5, 3, 4) + ARRAY.tobytes()
PACKED = gzip.compress(CONTENT, mtime=0)
"""The same in every process: the time would be part of the names of tests."""


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_read(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"images{suffix}"
    path.write_bytes(PACKED if suffix else CONTENT)
    read = idx.read(path)
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, ARRAY)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "begins with nothing"),
        (b"\0\0", "begins with 00 00"),
        (b"<html>not found</html>", "not an idx file of bytes: it begins with 3c 68 74 6d"),
        (b"\0\0\x0d" + CONTENT[3:], "not an idx file of bytes"),
        (CONTENT[:9], "cut short"),
        (CONTENT[:-1], "75 bytes"),
        (CONTENT + b"x", "77 bytes"),
    ],
)
def test_what_is_not_an_idx_file_is_named(content: bytes, message: str, tmp_path: Path) -> None:
    for path, data in ((tmp_path / "labels", content), (tmp_path / "labels.gz", gzip.compress(content))):
        path.write_bytes(data)
        with pytest.raises(ValueError, match=message) as raised:
            idx.read(path)
        assert str(path) in str(raised.value)
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("content", [CONTENT, b"", PACKED[:-9], PACKED[:20]])
def test_a_broken_archive_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "images.gz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"images\.gz"):
        idx.read(path)


def test_a_flipped_bit_in_an_archive_is_found(tmp_path: Path) -> None:
    packed = bytearray(PACKED)
    packed[len(packed) // 2] ^= 1
    path = tmp_path / "images.gz"
    path.write_bytes(packed)
    with pytest.raises(ValueError, match=r"images\.gz"):
        idx.read(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"absent cannot be read"):
        idx.read(tmp_path / "absent")
