"""Ctrl-C while a command is still importing."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SLOW_IMPORT = """
import pathlib, time
pathlib.Path("importing").touch()
for _ in range(600):  # an import that would swallow the exception
    try:
        time.sleep(0.1)
    except BaseException:
        pass
"""


@pytest.mark.parametrize("command", ["sweep", pytest.param("confirm study", marks=pytest.mark.slow)])
def test_it_ends_at_once_with_one_line(tmp_path: Path, command: str) -> None:
    (tmp_path / "slow_import.py").write_text(SLOW_IMPORT)
    process = subprocess.Popen(
        [sys.executable, "-m", "sgdr", *command.split(), "--workload", "slow_import:workload"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "SGDR_STORAGE": f"sqlite:///{tmp_path}/s.db"},
    )
    until = time.monotonic() + 120
    while not (tmp_path / "importing").exists():
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130 and said == "sgdr: interrupted\n"
    assert not (tmp_path / "s.db").exists()
