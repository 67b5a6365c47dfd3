"""`sgdr answer` as a process."""

import json

import pytest


def test_the_answer_is_told_in_sentences_and_with_code_to_paste(swept):
    done = swept("answer", "tiny")
    assert done.returncode == 0 and done.stderr == ""
    for said in ("Use ", "is expected to be", "cannot be told from it", "The search has cost 8.0"):
        assert said in done.stdout
    code = done.stdout[done.stdout.index("import sgdr") : done.stdout.index("Code for torch")]
    names = {}
    exec(code, names)
    reached = json.loads(swept("answer", "tiny", "--json").stdout)
    assert names["schedule"].to_dict() == reached["schedule"]
    assert f"sgdr export --to torch --trial {reached['number']} tiny" in done.stdout
    assert swept("export", "--to", "torch", "--trial", str(reached["number"]), "tiny").returncode == 0


def test_with_a_margin_the_simplest_is_recommended(swept):
    reached = json.loads(swept("answer", "tiny", "--margin", "1e6", "--json").stdout)
    assert (reached["margin"], reached["shape"], reached["restarts"]) == (1e6, "constant", "equal")


@pytest.mark.parametrize("command", ["answer tiny", "sweep --workload tiny:workload --study new"])
@pytest.mark.parametrize("margin", ["nan", "inf", "-1", "much"])
def test_a_margin_that_cannot_be_is_refused_in_one_line(swept, margin, command):
    refused = swept(*command.split(), f"--margin={margin}")
    assert refused.returncode == 2 and refused.stdout == ""
    assert len(refused.stderr.splitlines()) == 1 and "margin" in refused.stderr
