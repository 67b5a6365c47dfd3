import sys

import pytest

from experiments.bench import process


def python(code):
    return process.run([sys.executable, "-c", code])


def test_finds_the_object_among_other_lines():
    text = 'a line {\n{"best": 1,\n "more": {"x": 2}}\nthe end'
    assert process.json_object(text) == {"best": 1, "more": {"x": 2}}
    with pytest.raises(RuntimeError, match="no JSON object"):
        process.json_object("nothing")


def test_measures_a_process(monkeypatch):
    monkeypatch.setattr(process, "INTERVAL", 0.05)
    finished = python("import time; block = bytearray(50_000_000); time.sleep(0.5); print('{\"best\": 1}')")
    assert finished.report == {"best": 1}
    assert finished.wall > 0.5
    assert finished.peak_bytes > 50_000_000


def test_a_failure_says_why():
    with pytest.raises(RuntimeError, match=r"exit 1\n(.|\n)*broken"):
        python("raise ValueError('broken')")


def test_ends_and_names_what_is_left_behind(monkeypatch):
    monkeypatch.setattr(process, "INTERVAL", 0.05)
    monkeypatch.setattr(process, "GRACE", 0.1)
    with pytest.raises(RuntimeError, match=r"left \['sleep'\] behind"):
        python("import subprocess, time; subprocess.Popen(['sleep', '60']).returncode = 0; time.sleep(0.5)")
