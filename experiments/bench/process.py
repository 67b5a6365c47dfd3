"""A command as a whole process: its wall, the peak memory of its tree, and the JSON object that it prints."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any

import psutil

INTERVAL = 0.5
"""Seconds between two looks at the memory."""
GRACE = 5.0
"""Seconds in which what a process started must have ended after it."""


@dataclass(frozen=True)
class Finished:
    """What a process took, seen from outside, and what it said."""

    began: float
    """Seconds since 1970."""
    wall: float
    """Seconds from its start to its end."""
    peak_bytes: int
    report: dict[str, Any]


def run(command: Sequence[str]) -> Finished:
    """Runs `command` to its end.

    Raises RuntimeError, with the end of its stderr, where it fails, prints no JSON object, or leaves
    processes behind, which are ended.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began, start = time.time(), time.perf_counter()
        process = subprocess.Popen(command, stdout=out, stderr=err, stdin=subprocess.DEVNULL)
        tree = _Tree(process.pid)
        code = process.wait()
        wall = time.perf_counter() - start
        left = tree.close()
        failure = f"exit {code}" if code else f"left {left} behind" if left else ""
        if failure:
            raise RuntimeError(f"{' '.join(command)}: {failure}\n{_text(err)[-2000:]}")
        return Finished(began, wall, tree.peak_bytes, json_object(_text(out)))


def json_object(text: str) -> dict[str, Any]:
    """The first JSON object in `text` that begins a line. Raises RuntimeError where there is none."""
    start = re.search(r"^\{", text, re.MULTILINE)
    if start is None:
        raise RuntimeError(f"no JSON object in the output: {text[-500:]!r}")
    content: dict[str, Any] = json.JSONDecoder().raw_decode(text, start.start())[0]
    return content


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


class _Tree:
    """Looks at a process and all below it, from a thread, until closed."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._seen: set[psutil.Process] = set()
        self._closed = threading.Event()
        self.peak_bytes = 0
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._closed.wait(INTERVAL):
            try:
                processes = [self._root, *self._root.children(recursive=True)]
            except psutil.NoSuchProcess:
                return
            self._seen.update(processes[1:])
            self.peak_bytes = max(self.peak_bytes, sum(map(_memory, processes)))

    def close(self) -> list[str]:
        """Ends what is left of the tree, and returns the names."""
        self._closed.set()
        self._thread.join()
        _, left = psutil.wait_procs(list(self._seen), timeout=GRACE)
        names = [process.name() for process in left]
        for process in left:
            process.kill()
        return names


def _memory(process: psutil.Process) -> int:
    """Bytes of a process; a page that several share is divided among them, where the system can tell."""
    try:
        full = process.memory_full_info()
        return int(full.pss if sys.platform == "linux" else full.uss)
    except psutil.Error:
        return 0
