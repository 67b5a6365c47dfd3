import pytest

pytest.importorskip("torch")

from experiments.bench import torch_step


@pytest.mark.parametrize("case", torch_step.CASES, ids=repr)
def test_both_set_the_same_rates(case):
    theirs, ours = (case.scheduler(cls) for cls in (torch_step.Peer, torch_step.CosineAnnealingWarmRestarts))
    for scheduler in (theirs, ours):
        torch_step.turn(scheduler, case.epochs())
    assert list(map(float, ours.get_last_lr())) == pytest.approx(list(map(float, theirs.get_last_lr())))
    assert {type(rate).__name__ for rate in ours.get_last_lr()} == {case.rate}


def test_table_has_a_row_for_each_case():
    case = torch_step.CASES[0]
    measured = torch_step.measure(case, turns=2)
    assert all(value > 0 for value in measured)
    text = torch_step.markdown({case: (2000.0, 1500.0, 0.75)})
    cells = [cell.strip() for cell in text.splitlines()[2].split("|")[1:-1]]
    assert cells == ["T_mult = 1, 1 group, step(), float", "2,000", "1,500", "0.750"]
