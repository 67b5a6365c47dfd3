"""Exported code, run as it stands: the rate that the optimizer uses is the schedule's at every step."""

import math
import re
import subprocess
import sys
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sgdr import WarmRestarts, Warmup, export
from sgdr.decays import FALLS, Linear, Power, StableDecay
from sgdr.relatives import ANNEALS, MODES, Chained, Cyclic, Joined, OneCycle, StepDecay
from tests.exported import RUN, TOLERANCE, keras_rate, run_optax, run_torch

LAST = 2**31 - 1
PER_EPOCH = ("torch", "braintools")
"""What the training loop steps itself, and so once per epoch where nothing is said."""
CASES = {
    "growing": (WarmRestarts(0.1, 3, 2, 1e-4), 4, 25),
    "tripling": (WarmRestarts(0.1, 1, 3, 0.0), 3, 45),
    "equal": (WarmRestarts(0.3, 7, 1, 0.003), 3, 40),
    "every step": (WarmRestarts(0.3, 1, 1, 0.003), 1, 20),
    "one cosine": (WarmRestarts(0.05, 30, 1, 1e-3), 4, 30),
    "one cosine of many": (WarmRestarts(0.05, 30, 2, 1e-3), 4, 10),
    "constant": (WarmRestarts(0.05, 10, 2, 0.05), 4, 30),
    "constant, fractions": (WarmRestarts(0.05, 2.7, 1.3, 0.05), 1, 30),
    "many equal": (WarmRestarts(0.1, 2, 1, 1e-4), 4, 30),
    "fraction becomes whole": (WarmRestarts(0.1, 2.5, 2, 1e-4), 4, 30),
    "whole as float": (WarmRestarts(0.1, 3.0, 2.0, 1e-4), 4, 25),
    "real length": (WarmRestarts(0.1, 8.23, 1, 1e-4), 10, 20),
    "real factor": (WarmRestarts(0.1, 3, 1.5, 1e-4), 4, 40),
    "both real": (WarmRestarts(0.1, 1.1, 1.1, 0.0), 3, 50),
    "shorter than a step": (WarmRestarts(0.1, 0.3, 1.4, 1e-3), 1, 50),
    "decaying": (WarmRestarts(0.1, 3, 2, 1e-4, 0.7), 4, 40),
    "decaying, equal": (WarmRestarts(0.1, 2, 1, 1e-3, 0.9), 2, 60),
    "decaying, real": (WarmRestarts(0.1, 2.3, 1, 1e-3, 0.9), 2, 60),
    "limited": (WarmRestarts(0.1, 3, 2, 1e-3, cycles=3), 4, 40),
    "limited, one": (WarmRestarts(0.1, 13, 1, 1e-3, cycles=1), 4, 30),
    "limited, many": (WarmRestarts(0.1, 2, 1, 1e-3, cycles=12), 2, 40),
    "limited, real": (WarmRestarts(0.1, 2.6, 1.7, 1e-3, 0.8, cycles=3), 4, 30),
    "longer than 32 bits": (WarmRestarts(0.1, 10**10, 1, 1e-3), 2, 10),
    "grows beyond 32 bits": (WarmRestarts(0.1, 7, 10**9, 1e-3), 2, 10),
    "numbers of many digits": (WarmRestarts(0.1547949787974357, 3, 2, 0.004579364118943), 4, 25),
    "linear": (Linear(0.1, 20, 0.01), 4, 30),
    "linear, real": (Linear(0.1, 20.3), 1, 30),
    "power": (Power(0.1, 20, 2.5), 4, 30),
    "root": (Power(0.1, 20, 0.3, 0.001), 4, 25),
    "root, real": (Power(0.1, 20.3, 0.3), 1, 25),
    "plateau": (StableDecay(0.1, 20, 0.25, 0.003), 4, 25),
    "plateau, real": (StableDecay(0.1, 20, 0.337), 3, 25),
    "plateau, sqrt": (StableDecay(0.1, 20, 0.35, 0.003, "sqrt"), 4, 25),
    "plateau, sqrt, real": (StableDecay(0.1, 20.3, 0.337, fall="sqrt"), 1, 25),
    "one cycle": (OneCycle(0.1, 20, 0.29), 4, 25),
    "one cycle, three phases": (OneCycle(0.1, 20.5, 0.3, 5, 100, 0.85, "linear"), 3, 25),
    "steps": (StepDecay(0.1, (5, 9.3, 9.4, 15)), 4, 25),
    "steps, many": (StepDecay(0.1, tuple(range(1, 30)), 0.93), 1, 40),
    "no steps": (StepDecay(0.1, ()), 2, 5),
    "triangles": (Cyclic(0.1, 3, eta_min=0.01), 4, 25),
    "triangles, halved": (Cyclic(0.1, 3, 5, 0.01, "triangular2"), 4, 25),
    "triangles, lowered": (Cyclic(0.1, 2.5, 5.5, 0.01, "exp_range", 0.9), 3, 25),
    "triangles, real": (Cyclic(0.1, 2.3, 4.4, 0.001, "triangular2"), 1, 45),
    "warm, growing": (Warmup(WarmRestarts(0.1, 3, 2, 1e-4), 4), 4, 25),
    "warm, both real": (Warmup(WarmRestarts(0.1, 1.1, 1.1), 2), 3, 50),
    "warm, limited": (Warmup(WarmRestarts(0.1, 3, 2, 1e-3, 0.8, cycles=3), 2), 4, 30),
    "warm, one cosine": (Warmup(WarmRestarts(0.1, 13, 1, 1e-3, cycles=1), 2), 4, 20),
    "warm, not at all": (Warmup(WarmRestarts(0.1, 3, 2), 0), 4, 10),
    "warm, linear": (Warmup(Linear(0.1, 20, 0.01), 3), 4, 30),
    "warm, power": (Warmup(Power(0.1, 20), 3), 4, 30),
    "warm, plateau, sqrt": (Warmup(StableDecay(0.1, 20, 0.35, fall="sqrt"), 3), 4, 25),
    "warm, one cycle": (Warmup(OneCycle(0.1, 20), 3), 4, 25),
    "warm, steps": (Warmup(StepDecay(0.1, (5, 9.3)), 3), 4, 25),
    "warm, triangles": (Warmup(Cyclic(0.1, 3, 5, 0.01), 3), 4, 25),
}


SHAPES = {"linear", "root, real", "plateau, sqrt", "one cycle", "triangles, halved", "warm, growing"}
CORNERS = {
    "growing",
    "constant",
    "both real",
    "decaying, equal",
    "limited, real",
    "longer than 32 bits",
    *SHAPES,
}
"""One of each kind of code: the others run where everything does."""
DOUBLING = (
    "growing",
    "one cosine of many",
    "constant",
    "fraction becomes whole",
    "whole as float",
    "decaying",
    "numbers of many digits",
    "warm, growing",
    "warm, not at all",
)
WITHOUT_BUDGET = {
    "optax": (
        *DOUBLING,
        "tripling",
        "equal",
        "one cosine",
    ),  # whose own class has as many cycles as are needed
    "braintools": ("tripling",),  # whose own class overflows far behind the budget
}
"""The cases whose code is another one where no budget is known, by target."""


def few(*cases, fast):
    """Parameters of which all but those in `fast` are slow."""
    return [pytest.param(*case, marks=[] if case in fast else pytest.mark.slow) for case in cases]


def in_steps(schedule, steps_per_epoch):
    return schedule if steps_per_epoch is None else schedule.scaled(steps_per_epoch)


def tolerance(target, schedule):
    return TOLERANCE[target] * getattr(schedule, "schedule", schedule).base_lr


def check(target, rates, schedule, steps_per_epoch=None):
    expected = in_steps(schedule, steps_per_epoch)(np.arange(len(rates)))
    assert np.abs(np.array(rates) - expected).max() <= tolerance(target, schedule)


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the Trainer of transformers makes one


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize(
    ("target", "case", "with_budget"),
    few(
        *((target, case, True) for target in export.TARGETS for case in CASES),
        *((target, case, False) for target, cases in WITHOUT_BUDGET.items() for case in cases),
        fast={
            *((target, case, True) for target in export.TARGETS for case in CORNERS),
            ("optax", "growing", False),
        },
    ),
)
def test_per_batch_every_rate_is_the_schedule_s(target, case, with_budget):
    schedule, steps_per_epoch, budget = CASES[case]
    code = export.code(
        schedule, target, steps_per_epoch=steps_per_epoch, budget=budget if with_budget else None
    )
    rates = RUN[target](code, budget, steps_per_epoch)
    assert len(rates) == budget * steps_per_epoch and "Steps per batch" in code
    check(target, rates, schedule, steps_per_epoch)


@pytest.mark.parametrize("target", export.TARGETS)
def test_without_a_budget_the_code_differs_in_the_number_of_epochs_alone(target):
    """What runs with it runs without it too."""
    different = set()
    for case, (schedule, steps_per_epoch, budget) in CASES.items():
        known, unknown = (
            statements(export.code(schedule, target, steps_per_epoch=steps_per_epoch, budget=length))
            for length in (budget, None)
        )
        if known != re.sub(r"\bepochs\)", f"{budget})", unknown):
            different.add(case)
    assert different == set(WITHOUT_BUDGET.get(target, ()))


def statements(code):
    """The code without the lines that are comments."""
    return "\n".join(line for line in code.splitlines() if not line.startswith("#"))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize(
    ("case", "with_budget"),
    few(
        *((case, known) for case in ("growing", "real factor", "limited, real") for known in (True, False)),
        fast={("growing", False), ("limited, real", True)},
    ),
)
@pytest.mark.parametrize("target", export.TARGETS)
def test_without_the_length_of_an_epoch_the_code_names_the_unit(target, case, with_budget):
    schedule, _, budget = CASES[case]
    code = export.code(schedule, target, budget=budget if with_budget else None)
    if target in PER_EPOCH:
        assert "Steps per epoch" in code and "Steps per batch" not in code
        rates = RUN[target](code, budget, 3)
        assert len(rates) == 3 * budget and rates[0::3] == rates[1::3] == rates[2::3]
        rates = rates[::3]
    else:
        assert "Steps per batch" in code and "Steps per epoch" not in code
        rates = RUN[target](code, budget, 1)
    assert len(rates) == budget
    check(target, rates, schedule)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize(
    ("case",),
    few(
        ("growing",),
        ("both real",),
        ("limited, real",),
        ("decaying, equal",),
        ("steps",),
        ("warm, plateau, sqrt",),
        ("warm, triangles",),
        fast={("growing",), ("limited, real",), ("warm, triangles",)},
    ),
)
@pytest.mark.parametrize("target", export.TARGETS)
def test_a_rate_that_changes_once_an_epoch_is_held_through_its_updates(target, case):
    schedule, steps_per_epoch, budget = CASES[case]
    code = export.code(
        schedule, target, steps_per_epoch=steps_per_epoch, budget=budget // 2, interval="epoch"
    )
    rates = np.array(RUN[target](code, budget // 2, steps_per_epoch))
    epochs = np.repeat(np.arange(budget // 2), steps_per_epoch)
    assert np.abs(rates - schedule(epochs)).max() <= tolerance(target, schedule)
    assert ("Steps per epoch" in code) == (target in PER_EPOCH)
    assert "Where T_0 counts" not in code


@pytest.mark.parametrize("target", export.TARGETS)
def test_a_rate_at_every_update_takes_the_number_of_updates(target):
    schedule = WarmRestarts(0.1, 4, 2)
    known = {"steps_per_epoch": 10, "budget": 4}
    assert export.code(schedule, target, interval="step", **known) == export.code(schedule, target, **known)
    with pytest.raises(ValueError, match=f"^steps_per_epoch must be known for {target}.*--steps-per-epoch"):
        export.code(schedule, target, budget=4, interval="step")
    if target in PER_EPOCH:
        assert "Steps per epoch" in export.code(schedule, target, budget=4, interval="epoch")
    else:
        with pytest.raises(ValueError, match=f"^steps_per_epoch must be known for {target}"):
            export.code(schedule, target, budget=4, interval="epoch")


SCHEDULES = st.builds(
    WarmRestarts,
    base_lr=st.floats(1e-6, 10),
    T_0=st.one_of(st.integers(1, 60), st.floats(0.5, 60)),
    T_mult=st.one_of(st.integers(1, 5), st.floats(1.01, 5)),
    eta_min=st.floats(0, 1e-6),
    peak_decay=st.one_of(st.just(1.0), st.floats(0.3, 1.0)),
    cycles=st.one_of(st.none(), st.integers(1, 20)),
)


@settings(max_examples=60, deadline=None)
@given(SCHEDULES, st.integers(1, 9), st.integers(1, 12), st.booleans())
def test_any_schedule_in_torch(schedule, steps_per_epoch, budget, with_budget):
    code = export.code(
        schedule, "torch", steps_per_epoch=steps_per_epoch, budget=budget if with_budget else None
    )
    check("torch", run_torch(code, budget, steps_per_epoch), schedule, steps_per_epoch)


@settings(max_examples=5, deadline=None)
@given(SCHEDULES, st.integers(1, 9), st.integers(1, 40), st.booleans())
def test_any_schedule_in_optax(schedule, steps_per_epoch, budget, with_budget):
    code = export.code(
        schedule, "optax", steps_per_epoch=steps_per_epoch, budget=budget if with_budget else None
    )
    check("optax", run_optax(code, budget, steps_per_epoch), schedule, steps_per_epoch)


LENGTHS = st.one_of(st.integers(1, 60), st.floats(0.5, 60))
SHARES = st.floats(0.05, 0.95)
ANY_FORMULA = st.one_of(
    st.builds(Linear, st.floats(1e-6, 10), LENGTHS, st.floats(0, 1e-6)),
    st.builds(Power, st.floats(1e-6, 10), LENGTHS, st.floats(1, 4), st.floats(0, 1e-6)),
    st.builds(StableDecay, st.floats(1e-6, 10), LENGTHS, SHARES, st.just(1e-7), st.sampled_from(FALLS)),
    st.builds(OneCycle, st.floats(1e-6, 10), LENGTHS, SHARES, anneal=st.sampled_from(ANNEALS)),
    st.builds(Cyclic, st.just(0.1), LENGTHS, LENGTHS, st.just(0.01), st.sampled_from(MODES), SHARES),
)


@settings(deadline=None)
@given(ANY_FORMULA, st.integers(0, 9), st.integers(1, 9))
def test_the_function_of_any_formula_is_exact(formula, warmup, steps_per_epoch):
    schedule = Warmup(formula, warmup)
    code = export.code(schedule, "torch", steps_per_epoch=steps_per_epoch)
    before = code.split("\noptimizer =")[0].splitlines()
    names = {}
    exec("\n".join(line for line in before if "torch" not in line), names)
    check("torch", [names["learning_rate"](step) for step in range(150)], schedule, steps_per_epoch)


def definitions(code, end):
    """The names that the code defines before the line that begins with `end`."""
    names = {}
    exec(compile(code[: code.index(f"\n{end}")], "exported.py", "exec"), names)
    return names


def boundaries(schedule, until=LAST):
    """The first whole steps of cycles, in exact arithmetic."""
    T_0, T_mult = Fraction(schedule.T_0), Fraction(schedule.T_mult)
    start, restarts = T_0, []
    while start <= until and len(restarts) < 300:
        restarts.append(math.ceil(start))
        start = start * T_mult + T_0
    return restarts


FAR = {
    "doubling": WarmRestarts(0.1, 1, 2, 1e-4),
    "tripling": WarmRestarts(0.1, 1, 3, 1e-4),
    "tenfold": WarmRestarts(0.1, 7, 10, 1e-4),
    "equal": WarmRestarts(0.1, 10_000_019, 1, 1e-4),
    "real factor": WarmRestarts(0.1, 3, 1.1, 1e-4),
    "real length": WarmRestarts(0.1, 987654.3, 1, 1e-4),
    "near whole": WarmRestarts(0.1, 0.1, 1, 1e-4),
    "decaying": WarmRestarts(0.1, 1, 2, 1e-4, 0.9),
    "limited": WarmRestarts(0.1, 1, 3, 1e-4, cycles=15),
}
OWN_CLASS = ("doubling", "tripling", "tenfold", "equal")
"""The schedules for which PyTorch has a class, which counts steps: it has no function of the step."""


@pytest.mark.parametrize(
    ("target", "name"),
    [
        *(("torch", name) for name in FAR if name not in OWN_CLASS),
        *((target, name) for target in ("optax", "keras") for name in FAR),
    ],
)
@pytest.mark.slow
def test_rates_are_right_at_every_boundary_up_to_the_last_step_of_32_bits(target, name):
    schedule = FAR[name]
    steps = sorted({b + d for b in boundaries(schedule) for d in (-1, 0, 1)} | {0, 2**24 + 1, LAST})
    if name == "near whole":
        steps = list(range(30))
    steps = [step for step in steps if step <= LAST]
    code = export.code(schedule, target)
    if target == "torch":
        pytest.importorskip("torch")
        rate = definitions(code, "optimizer =")["learning_rate"]
        rates = [rate(step) for step in steps]
    elif target == "optax":
        import jax
        import jax.numpy as jnp

        rate = definitions(code, "optimizer =")["learning_rate"]
        rates = np.asarray(jax.jit(jax.vmap(rate))(jnp.array(steps, jnp.int32)))
    else:
        pytest.importorskip("keras")
        rate = definitions(code, "optimizer =")["learning_rate"]
        rates = [keras_rate(rate, step) for step in steps]
    expected = [schedule(step) for step in steps]
    assert np.abs(np.array(rates) - expected).max() <= tolerance(target, schedule)


def test_keras_saves_the_schedule_with_its_optimizer():
    keras = pytest.importorskip("keras")
    for case in ("growing", "equal", "limited, real"):
        schedule, steps_per_epoch, _ = CASES[case]
        code = export.code(schedule, "keras", steps_per_epoch=steps_per_epoch)
        names = definitions(code, "model.compile")
        again = keras.optimizers.deserialize(keras.optimizers.serialize(names["optimizer"]))
        assert again._learning_rate is not names["learning_rate"]
        rates = [keras_rate(again._learning_rate, step) for step in range(40)]
        check("keras", rates, schedule, steps_per_epoch)


def test_optax_takes_arrays_of_steps_and_python_ints():
    import jax
    import jax.numpy as jnp

    for case in ("growing", "limited, real"):
        schedule, _, _ = CASES[case]
        rate = definitions(export.code(schedule, "optax"), "optimizer =")["learning_rate"]
        check("optax", jax.jit(rate)(jnp.arange(100)), schedule)
        assert float(rate(7)) == pytest.approx(schedule(7), rel=1e-6)


def test_groups_of_other_rates_keep_their_proportion():
    torch = pytest.importorskip("torch")
    schedule = CASES["decaying"][0]
    code = export.code(schedule, "torch").replace(
        "model.parameters(), lr=0.1", "[dict(params=model.parameters()), dict(params=other, lr=0.02)], lr=0.1"
    )
    rates = []
    names = {"model": torch.nn.Linear(1, 1), "other": [torch.zeros(1, requires_grad=True)], "epochs": 50}
    names["loader"] = ()
    before, after = code.split("    scheduler.step()")
    exec(
        before + "    rates.append([g['lr'] for g in optimizer.param_groups])\n    optimizer.step()\n"
        "    scheduler.step()" + after,
        names | {"rates": rates},
    )
    check("torch", [first for first, _ in rates], schedule)
    assert [second for _, second in rates] == pytest.approx([first / 5 for first, _ in rates])


@pytest.mark.parametrize("target", export.TARGETS)
def test_the_framework_s_own_schedule_is_used_where_it_is_right(target):
    whole, real = WarmRestarts(0.1, 10, 2, 1e-4), WarmRestarts(0.1, 10, 1.5, 1e-4)
    own = {
        "torch": "CosineAnnealingWarmRestarts(",
        "transformers": "CosineAnnealingWarmRestarts(",
        "braintools": "braintools.optim.CosineAnnealingWarmRestarts(",
        "optax": "optax.sgdr_schedule(",
        "keras": "keras.optimizers.schedules.LearningRateSchedule",
    }[target]
    assert own in export.code(whole, target, steps_per_epoch=5, budget=100)
    assert (own in export.code(real, target, steps_per_epoch=5, budget=100)) == (target == "keras")
    assert ".step(e" not in export.code(whole, target) and "CosineDecayRestarts(" not in export.code(
        whole, target
    )


def test_optax_evaluates_few_cycles_at_a_step():
    many = WarmRestarts(0.1, 1, 1)
    assert "sgdr_schedule" in export.code(many, "optax", budget=8)
    assert "sgdr_schedule" not in export.code(many, "optax", budget=9)
    assert "sgdr_schedule" not in export.code(many, "optax")
    assert "cosine_decay_schedule" in export.code(many, "optax", budget=1)


@cache
def all_codes():
    """The code of every case for each target, by a label."""
    codes = {}
    for target in export.TARGETS:
        for case, (schedule, steps_per_epoch, budget) in CASES.items():
            for length in (None, steps_per_epoch):
                for end in (None, budget):
                    label = f"{target}-{case}-{length}-{end}".replace(" ", "_").replace(",", "")
                    codes[label] = export.code(schedule, target, steps_per_epoch=length, budget=end)
            label = f"{target}-{case}-held-{budget}".replace(" ", "_").replace(",", "")
            codes[label] = export.code(
                schedule, target, steps_per_epoch=steps_per_epoch, budget=budget, interval="epoch"
            )
    return codes


def test_code_is_formatted_and_has_no_fault_that_a_linter_finds(tmp_path):
    pytest.importorskip("ruff")
    for label, code in all_codes().items():
        compile(code, label, "exec")
        assert code.isascii() and "sgdr." not in code and "import sgdr" not in code
        assert "log(" not in re.sub(r"math\.log\((PEAK_DECAY|GAMMA|self\.peak_decay|self\.gamma)\)", "", code)
        assert "floor" not in code
        first = code[: code.index("\n\n")]
        assert first.startswith("# ") and ("Steps per batch" in first or "Steps per epoch" in first)
        (tmp_path / f"{label}.py").write_text(code)

    def ruff(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "ruff", *arguments, "--isolated", "--no-cache", str(tmp_path)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    for width in ("88", "110"):
        done = ruff("format", "--check", "--line-length", width)
        assert done.returncode == 0, done.stdout + done.stderr
    # Undefined are the user's own names; a value from a table of words is none of ours to test.
    done = ruff("check", "--select", "E,F,W,I,B,UP,C4,SIM", "--ignore", "F821,B007")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("target", export.TARGETS)
def test_only_the_user_s_own_names_are_left_undefined(target):
    import ast
    import builtins

    own = {"model", "loader", "loss_function", "epochs", "train_dataset", "params"}
    for label, code in all_codes().items():
        if not label.startswith(f"{target}-"):
            continue
        nodes = list(ast.walk(ast.parse(code)))
        used = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
        bound = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        bound |= {n.name for n in nodes if isinstance(n, ast.FunctionDef | ast.ClassDef)}
        bound |= {n.arg for n in nodes if isinstance(n, ast.arg)}
        for node in nodes:
            if isinstance(node, ast.Import | ast.ImportFrom):
                bound |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        undefined = used - bound - set(dir(builtins))
        assert undefined <= own, (label, undefined)
        if not label.endswith("-None") and target != "keras":
            assert "epochs" not in undefined, label


def test_the_header_says_what_it_is():
    def header(schedule, target="torch", **options):
        return " ".join(
            line.removeprefix("# ")
            for line in export.code(schedule, target, **options).split("\n\n")[0].splitlines()
        )

    said = header(WarmRestarts(0.1, 10, 2, 1e-4), steps_per_epoch=20, budget=100)
    assert "base_lr=0.1, T_0=10 epochs of 20 steps, T_mult=2, eta_min=0.0001" in said
    assert "Restarts at steps 200, 600, 1400 of 2000." in said
    assert "scheduler.step() comes after every optimizer.step()" in said
    assert "Restarts at epochs 10, 30, 70 of 100." in header(WarmRestarts(0.1, 10, 2), budget=100)
    assert "Restarts at epochs 1, 2, 3, 4, 5, 6, 7, 8, ...." in header(WarmRestarts(0.1, 1))
    assert "Restarts at epochs 4, 8." in header(WarmRestarts(0.1, 4, cycles=3))
    assert "No restart in epochs 0 to 5." in header(WarmRestarts(0.1, 5, 2), budget=5)
    assert "No restart." in header(WarmRestarts(0.1, 5, cycles=1))
    constant = header(WarmRestarts(0.1, 1, 1, 0.1))
    assert constant.startswith("A constant rate: base_lr=0.1") and "estart at" not in constant
    once = header(WarmRestarts(0.1, 2.5), "keras", steps_per_epoch=10, budget=9, interval="epoch")
    assert "T_0=2.5 epochs of 10 steps" in once and "Every epoch has one rate." in once
    assert "Restarts at steps 30, 50, 80 of 90." in once
    assert "T_0=4 epochs, T_mult" in header(WarmRestarts(0.1, 4), interval="epoch")
    assert "right before step 5069" in header(WarmRestarts(0.1, 1.2375, 1), "optax")


def test_a_table_holds_what_the_budget_needs_or_says_that_it_cannot():
    schedule = WarmRestarts(0.1, 0.01, 1, 1e-3)
    rates = run_optax(export.code(schedule, "optax", budget=100), 100, 1)
    check("optax", rates, schedule)
    with pytest.raises(
        ValueError, match=r"^budget must not hold more than 1048576 cycles of T_0=0.01"
    ) as error:
        export.code(schedule, "optax", budget=10**6)
    assert "\n" not in str(error.value)
    assert "LambdaLR" in export.code(schedule, "torch", budget=10**6)


ARRAYS = WarmRestarts(np.array([0.1, 0.2]), 10)


@pytest.mark.parametrize(
    ("schedule", "target", "options", "message"),
    [
        (
            WarmRestarts(0.1, 10),
            "tensorflow",
            {},
            "target must be one of torch, optax, keras, braintools, trans",
        ),
        (WarmRestarts(0.1, 10), None, {}, "target must be one of .*, got None"),
        (WarmRestarts(0.1, 10), ["torch"], {}, "target must be one of"),
        (
            ARRAYS,
            "torch",
            {},
            "schedule must have numbers as fields, got arrays in base_lr; export one schedule",
        ),
        (
            {"base_lr": 0.1, "T_0": 10},
            "torch",
            {},
            "schedule must be a WarmRestarts, Linear, .*got dict; give",
        ),
        (
            Warmup(WarmRestarts(ARRAYS.base_lr, 10), 5),
            "torch",
            {},
            "schedule must have numbers .*in base_lr;",
        ),
        (Linear(0.1, np.array([5, 6])), "torch", {}, "schedule must have numbers as fields, .* in length;"),
        (Chained((Linear(0.1, 5), StepDecay(1.0, (3,)))), "optax", {}, "schedule must be .*, got Chained; "),
        (Warmup(Joined((Linear(0.1, 5),), ()), 5), "torch", {}, "schedule must .*, got a Warmup of Joined; "),
        (Warmup(Warmup(Linear(0.1, 5), 1), 1), "torch", {}, "schedule must .*, got a Warmup of Warmup; give"),
        (
            Linear(0.1, 2**31),
            "optax",
            {},
            "length must be at most 2147483647 steps .* got 2147483648; give a",
        ),
        (Warmup(Linear(0.1, 9), 2**31), "keras", {}, "warmup must be at most 2147483647 steps"),
        (StepDecay(0.1, (5, 2**31)), "braintools", {}, "milestones must be at most 2147483647 steps"),
        (Linear(1e-40, 9), "keras", {}, "base_lr must be from"),
        (Linear(0.1, 9), "keras", {"interval": "epoch"}, "steps_per_epoch must be .*: length counts epochs"),
        (
            WarmRestarts(0.1, 10),
            "torch",
            {"steps_per_epoch": 0},
            "steps_per_epoch must be an int >= 1, got 0",
        ),
        (
            WarmRestarts(0.1, 10),
            "torch",
            {"steps_per_epoch": 2.5},
            "steps_per_epoch must be an int >= 1, got 2.5",
        ),
        (WarmRestarts(0.1, 10), "keras", {"steps_per_epoch": True}, "steps_per_epoch must be .*, got True"),
        (WarmRestarts(0.1, 10), "optax", {"budget": -1}, "budget must be an int >= 1, got -1"),
        (WarmRestarts(0.1, 10), "optax", {"budget": math.nan}, "budget must be an int >= 1, got nan"),
        (WarmRestarts(0.1, 10), "optax", {"budget": math.inf}, "budget must be an int >= 1, got inf"),
        (WarmRestarts(0.1, 10), "optax", {"budget": "100"}, "budget must be an int >= 1, got '100'"),
        (WarmRestarts(1e40, 10), "optax", {}, r"base_lr must be from 1e-28 to 1e\+28 .* float32, got 1e\+40"),
        (WarmRestarts(0.1, 1e-30), "keras", {}, r"T_0 must be from .* got 1e-30"),
        (WarmRestarts(0.1, 3, 1e99), "braintools", {}, "T_mult must be from"),
        (
            WarmRestarts(0.1, 10),
            "torch",
            {"interval": "batch"},
            "interval must be 'step' or 'epoch', got 'ba",
        ),
        (WarmRestarts(0.1, 10), "keras", {"interval": 1}, "interval must be 'step' or 'epoch', got 1;"),
        (
            WarmRestarts(0.1, 1e199),
            "torch",
            {"steps_per_epoch": 10**9},
            "T_0 must be a number > 0 and at most",
        ),
    ],
    ids=range(28),
)
def test_bad_arguments_are_named_in_one_line(schedule, target, options, message):
    with pytest.raises(ValueError, match=f"^{message}") as error:
        export.code(schedule, target, **options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("target", export.TARGETS)
def test_extreme_schedules_are_written_without_delay(target):
    for schedule in (
        WarmRestarts(1e-20, 1e-20, 1.0),
        WarmRestarts(0.1, 1e20, 1),
        WarmRestarts(0.1, 1, 1 + 2**-52),
        WarmRestarts(0.1, 1e-20, 1e20, cycles=10**9),
    ):
        for budget in (None, 1):
            try:
                code = export.code(schedule, target, budget=budget)
            except ValueError as error:
                assert "cycles" in str(error)
            else:
                compile(code, "exported.py", "exec")


def test_no_framework_is_imported_to_write_code(tmp_path):
    code = (
        "import sys\nfrom sgdr import WarmRestarts, export\n"
        "for target in export.TARGETS:\n    export.code(WarmRestarts(0.1, 1.5, 1.5), target, budget=9)\n"
        "print(*{name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True
    )
    loaded = set(done.stdout.split())
    assert "sgdr" in loaded and not loaded & {*export.TARGETS, "jax", "pandas", "optuna", "tensorflow"}
