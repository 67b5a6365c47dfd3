"""Bad input to `sgdr`: exit code 2, one line that says what to change, nothing half-written."""

import functools
import gc
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from sgdr.cli import main

TINY = Path(__file__).parent.parent / "tiny.py"

SWEEP = ("sweep", "--workload", "tiny:workload", "--trials", "2")


def refused(done, *parts: str) -> str:
    """Asserts that the process refused in one line which has all the parts; returns it."""
    assert done.returncode == 2, done.stderr or done.stdout
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("sgdr: ") and "Traceback" not in lines[0]
    for part in parts:
        assert part in lines[0], lines[0]
    return lines[0]


@pytest.fixture
def inside(tmp_path, monkeypatch, capsys):
    """The command in this process, which takes a tenth of the time, in a folder that has `tiny`."""
    (tmp_path / "tiny.py").write_text(TINY.read_text())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "tiny", raising=False)
    thresholds = gc.get_threshold()

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        monkeypatch.setattr(sys, "argv", ["sgdr", *arguments])
        code = main()
        said = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, code, said.out, said.err)

    yield run
    sys.modules.pop("tiny", None)
    gc.unfreeze()
    gc.set_threshold(*thresholds)


RANGES = {
    "--base-lr": ("0:1", "1:0.1", "nan:1", "0.1:inf", "a:b", "", "1:2:3", "1e+300"),
    "--T-0": ("0:3", "5:2", "nan", "1:inf", "x", "", "1.5:3", "7:9"),
    "--eta-ratio": ("-0.1:0.1", "0.5:0.1", "nan:0.1", "0:inf", "half", "", "0:1.5"),
    "--T-mult": ("0", "-1", "nan", "inf", "1.5", "", "1,,2", "99999999999"),
}


@pytest.mark.parametrize(
    ("option", "text"), [(option, text) for option, texts in RANGES.items() for text in texts]
)
def test_ranges_that_cannot_be(inside, tmp_path, option, text):
    line = refused(inside(*SWEEP, f"{option}={text}"))
    assert option in line or option.strip("-").replace("-", "_") in line
    first = text.split(":")[0].split(",")[0]
    assert repr(text) in line or (first and first[:40] in line)
    assert not list(tmp_path.glob("*.db*"))


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("--budget", "0"), ("budget=0", "at least 1")),
        (("--budget", "-3"), ("budget=-3",)),
        (("--budget", str(2**30)), (f"budget={2**30}", "lower it")),
        (("--budget", "9" * 400), ("budget=999", "lower it")),
        (("--trials", "0"), ("trials=0", "at least 1")),
        (("--trials", "many"), ("--trials",)),
        (("--seed", "-1"), ("seed=-1", "at least 0")),
        (("--seed", str(2**32)), (f"seed={2**32}", "below 2^32")),
        (("--slots", "0"), ("slots=0", "at least 1", "auto")),
        (("--slots", "1,2"), ("--slots '1,2'", "auto")),
        (("--slots", "few"), ("--slots 'few'", "auto")),
        (("--timeout", "0"), ("--timeout '0'", "90s")),
        (("--timeout", "soon"), ("--timeout 'soon'", "90s")),
        (("--timeout", "-5s"), ("--timeout '-5s'", "90s")),
        (("--timeout", "9" * 400), ("timeout=inf",)),
        (("--objective", "best"), ("objective='best'", "best-epoch, best-trough, final, anytime, ensemble")),
        (("--objective", "ensemble"), ("objective='ensemble'", "predict() and score()", "'tiny' has not")),
        (("--pruner", "sharp"), ("pruner='sharp'", "hyperband")),
        (("--sampler", "oracle"), ("sampler='oracle'", "tpe, random")),
        (("--engine", "steam"), ("engine='steam'", "local")),
        (("--controls", "1"), ("controls=1.0", "below 1")),
        (("--controls=-0.1",), ("controls=-0.1", "from 0")),
        (("--controls", "nan"), ("controls=nan", "from 0")),
        (("--controls", "half"), ("--controls", "number")),
        (("--study", "a/b"), ("study='a/b'", "'/'")),
        (("--study", ""), ("study=''", "empty")),
        (("--study", " "), ("study=' '", "empty")),
        (("--no-such-option",), ("--no-such-option", "--help")),
        (("extra",), ("extra", "--help")),
        (("--T-0", "4:6", "--T-mult", "1", "--closed", "--budget", "3"), ("T_0=(4, 6)", "budget of 3")),
        (("--start", ""), ("start=''", "must begin with a shape")),
        (("--shapes", ""), ("shapes=''", "must be one of restarts, cosine, ")),
        (("--start", "cosin base_lr=1"), ("start='cosin base_lr=1'", "restarts, cosine")),
        (("--start", "cosine base_lr=x"), ("start='cosine base_lr=x'", "must be a number")),
        (("--start", "cosine base_lr=1 decay=0"), ("has decay, which is none of base_lr, eta_min",)),
        (("--start", "restarts base_lr=1 T_0=7"), ("T_0=7, which does not fit the budget of 6",)),
        (("--start", "cosine base_lr=1") * 3, ("trials=2 is less than the 3 starts",)),
        (("--T-0", "4", "--closed", "--budget", "7"), ("T_0=4:4", "closes no budget")),
    ],
)
def test_arguments_that_cannot_be(inside, tmp_path, arguments, parts):
    refused(inside(*SWEEP, *arguments), *parts)
    assert not list(tmp_path.glob("*.db*"))


@pytest.mark.parametrize(
    ("workload", "parts"),
    [
        ("nope", ("'nope'", "digits", "mnist1d", "module:object")),
        ("", ("''", "digits")),
        ("nomodule:x", ("no module named 'nomodule'",)),
        ("tiny:nope", ("has no 'nope'",)),
        (":x", ("':x'",)),
        (".tiny:x", ("'.tiny:x'",)),
        ("broken:x", ("'broken:x'", "SyntaxError")),
        ("tiny:no_workload", ("'tiny:no_workload'", "dict", "init, update and evaluate")),
        ("tiny:broken_factory", ("the data is missing",)),
        ("tiny:LacksMetric", ("metric='error'", "['loss']")),
        ("tiny:NoScalar", ("'error'", "(3,)", "scalar")),
        ("tiny:ChangesShape", ("float32[3]", "float32[6]")),
        ("tiny:ChangesTree", ("another tree",)),
        ("tiny:Fails", ("update() fails", "no such layer", "tiny.py, line")),
        ("tiny:WrongDirection", ("direction='down'", "'minimize' or 'maximize'")),
        ("tiny:WrongBudget", ("budget=2.5", "at least 1")),
    ],
)
def test_workloads_that_cannot_be(sgdr, tmp_path, workload, parts):
    (tmp_path / "broken.py").write_text("def (\n")
    refused(sgdr("sweep", "--workload", workload, "--trials", "2"), *parts)
    assert not list(tmp_path.glob("*.db*"))


def test_workload_is_required(sgdr):
    refused(sgdr("sweep"), "--workload", "--help")


STORAGES = {
    "nourl": ("'nourl'", "sqlite:///FILE.db"),
    "sqlite://": ("names no file",),
    "sqlite:///:memory:": ("names no file",),
    "redis://host/1": ("'redis://host/1'", "cannot be opened"),
    "sqlite:///text.db": ("text.db", "not a database"),
    "sqlite:///corrupt.db": ("corrupt.db", "cannot be opened"),
    "sqlite:///folder": ("is a folder",),
}


@pytest.mark.parametrize(
    ("command", "url"),
    [
        *((command, url) for command in (SWEEP, ("best", "tiny")) for url in STORAGES),
        (("studies",), "sqlite:///text.db"),
        (("delete", "tiny", "--yes"), "sqlite:///corrupt.db"),
    ],
)
def test_storages_that_cannot_be(sgdr, tmp_path, command, url):
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.db").write_text("a poem, and no database\n" * 9)
    (tmp_path / "corrupt.db").write_bytes(b"SQLite format 3\x00" + b"\x01garbage" * 2000)
    before = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    refused(sgdr(*command, "--storage", url), *STORAGES[url])
    assert {
        path.name: path.stat().st_size for path in tmp_path.iterdir() if path.name != "__pycache__"
    } == before


def test_missing_folders_and_files_of_a_storage(sgdr, tmp_path):
    refused(sgdr(*SWEEP, "--storage", "sqlite:///no/such.db"), "no folder 'no'", "make it first")
    refused(sgdr("best", "tiny", "--storage", "sqlite:///no.db"), "does not exist", "sgdr sweep")
    assert not list(tmp_path.glob("no*"))


def test_the_environment_names_the_storage(sgdr):
    refused(sgdr("studies", storage="sqlite:///elsewhere.db"), "elsewhere.db")


def test_reading_puts_no_tables_into_the_database_of_another(sgdr, tmp_path):
    with sqlite3.connect(tmp_path / "other.db") as database:
        database.execute("CREATE TABLE birds (name)")
    (tmp_path / "empty.db").touch()
    for name in ("other", "empty"):
        for command in (("studies",), ("best", "tiny")):
            refused(sgdr(*command, "--storage", f"sqlite:///{name}.db"), f"{name}.db", "cannot be opened")
    with sqlite3.connect(tmp_path / "other.db") as database:
        assert database.execute("SELECT name FROM sqlite_master").fetchall() == [("birds",)]
    assert (tmp_path / "empty.db").stat().st_size == 0


BOUND = """
import ctypes, os, sys
for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    if os.geteuid() == 0 and ctypes.CDLL(None).prctl(24, capability):  # PR_CAPBSET_DROP
        sys.exit(99)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Runs a command bound by permissions, as root too."""


@pytest.fixture
def bound(sgdr):
    before = (sys.executable, "-c", BOUND)
    if sys.platform != "linux" or sgdr("--help", before=before).returncode:
        pytest.skip("root cannot be bound by permissions here")
    return functools.partial(sgdr, before=before)


@pytest.mark.slow
def test_databases_that_may_not_be_read_or_written(bound, tmp_path):
    assert bound(*SWEEP).returncode == 0
    database = tmp_path / "sgdr.db"
    content = database.read_bytes()
    for mode in (0o444, 0o000):
        database.chmod(mode)
        refused(bound(*SWEEP, "--trials", "4", "--resume"), "cannot be written", "no permission", "sgdr.db")
        refused(bound("delete", "tiny", "--yes"), "no permission", "sgdr.db")
    refused(bound("best", "tiny"), "cannot be read", "no permission", "sgdr.db")
    database.chmod(0o444)
    assert bound("best", "tiny").returncode == 0
    assert database.read_bytes() == content


def test_folders_that_may_not_be_written(bound, tmp_path):
    tmp_path.chmod(0o500)
    try:
        refused(bound(*SWEEP), "cannot be written", "no permission")
        picture = bound("plot", "--base-lr", "0.1", "--T-0", "3", "-o", "a.png")
        refused(picture, "a.png", "cannot be written")
    finally:
        tmp_path.chmod(0o700)
    assert {path.name for path in tmp_path.iterdir()} <= {"tiny.py", "__pycache__"}


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs /proc, where nobody can make a file")
def test_a_folder_in_which_nobody_can_write(sgdr):
    refused(sgdr(*SWEEP, "--storage", "sqlite:////proc/sgdr.db"), "/proc/sgdr.db")


@pytest.mark.parametrize("command", [("best",), ("plot", "-o", "a.png"), ("delete", "--yes")])
def test_unknown_studies_name_the_known(swept, command):
    refused(swept(command[0], "nope", *command[1:]), "no study 'nope'", "'tiny'")


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("best",), ("study", "--help")),
        (("best", "tiny", "-k", "0"), ("k=0", "at least 1")),
        (("delete", "tiny"), ("--yes", "'tiny'")),
        (("nope",), ("nope", "--help")),
        (("lr",), ("--base-lr is missing",)),
        (("lr", "--base-lr", "0.1"), ("--T-0 is missing",)),
        (("lr", "--base-lr", "nan", "--T-0", "3"), ("base_lr", "nan")),
        (("lr", "--base-lr", "x", "--T-0", "3"), ("--base-lr",)),
        (("lr", "--base-lr", "0.1", "--T-0", "0"), ("T_0", "got 0")),
        (("lr", "--base-lr", "0.1", "--T-0", "3", "--T-mult", "0.5"), ("T_mult", "0.5")),
        (("lr", "--base-lr", "0.1", "--T-0", "3", "--eta-min", "1"), ("eta_min", "1.0")),
        (("lr", "--base-lr", "0.1", "--T-0", "3", "--steps", "5:5"), ("--steps '5:5'",)),
        (("lr", "--base-lr", "0.1", "--T-0", "3", "--steps=-1:5"), ("--steps '-1:5'",)),
        (("lr", "--base-lr", "0.1", "--T-0", "3", "--steps", "0:9:0"), ("--steps '0:9:0'",)),
        (("lr", "--base-lr", "0.1", "--T-0", "3", "--steps", "first"), ("--steps 'first'",)),
        (("lr", "--base-lr", "0.1", "--T-0", "3", "--steps", f"0:{10**12}"), ("--steps", "STRIDE")),
        (("lr", "--base-lr", "0.1", "--T-0", "3", "--steps", str(10**20)), ("--steps", str(10**20))),
        (
            ("lr", "--shape", "wsd", "--base-lr", "1"),
            ("--length is missing", "wsd needs --base-lr and --length"),
        ),
        (
            ("lr", "--shape", "linear", "--power", "2"),
            ("--power has no meaning for --shape linear", "--length"),
        ),
        (("lr", "--shape", "square", "--base-lr", "1"), ("--shape 'square'", "restarts, cosine", "linear")),
        (
            ("lr", "--shape", "step-decay", "--base-lr", "1", "--milestones", "3,x"),
            ("--milestones '3,x'", "30,60"),
        ),
        (("lr", "--base-lr", "0.1", "--T-0", "3", "--warmup", "-1"), ("steps must be an int >= 0, got -1",)),
        (("plot",), ("--base-lr is missing",)),
        (("plot", "tiny", "--base-lr", "0.1", "-o", "a.png"), ("'tiny'", "not both")),
        (("plot", "tiny", "--T-0", "3", "-o", "a.png"), ("'tiny'", "not both")),
        (("plot", "tiny", "-o", "a.txt"), ("a.txt", ".png")),
        (("plot", "tiny", "-o", "no/a.png"), ("no folder 'no'",)),
        (("plot", "--base-lr", "0.1", "--T-0", "1e-9", "-o", "a.png"), ("T_0", "fewer steps")),
    ],
)
def test_other_commands(swept, arguments, parts):
    refused(swept(*arguments), *parts)


def test_studies_of_others_are_left_alone(sgdr, tmp_path):
    import optuna

    url = f"sqlite:///{tmp_path}/sgdr.db"
    study = optuna.create_study(storage=url, study_name="foreign")
    study.set_user_attr("workload", "of another tool")
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
    for command in ("best", "plot", "delete"):
        refused(sgdr(command, "foreign"), "'foreign'", "was not made by sgdr")
    refused(sgdr(*SWEEP, "--study", "foreign", "--resume"), "'foreign'", "was not made by sgdr")
    assert "foreign" not in sgdr("studies").stdout
    assert len(optuna.load_study(storage=url, study_name="foreign").trials) == 2


def test_one_line_holds_for_messages_of_several(sgdr):
    line = refused(sgdr(*SWEEP, "--study", "a\n/b"))
    assert re.search(r"study='a\\n/b'", line)
