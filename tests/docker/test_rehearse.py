"""The services of compose.yaml as processes, from the database to the best schedule of a sweep on Ray."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "docker" / "rehearse.py"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_what_compose_describes_works_and_leaves_nothing() -> None:
    pytest.importorskip("ray")
    done = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, timeout=850, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for part in ("postgres-1 is healthy", "ray-worker-2 is healthy", "by 2 workers", "The best schedule is"):
        assert part in done.stdout
    assert done.stdout.rstrip().endswith("All went well.")
    folder = done.stdout.partition(" -D ")[2].partition("/volumes")[0]
    assert folder.startswith("/tmp/sgdr-") and not Path(folder).exists()
    assert not [path for path in Path("/proc").glob("[0-9]*/cmdline") if folder.encode() in read(path)]


def read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:  # the process has ended
        return b""
