"""What is enqueued in a study, by Optuna's `enqueue_trial` or as a start, as a trial of the sweep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial

from sgdr.search.storage.schema import ARM

FIXED = "fixed_params"
"""The system attribute in which Optuna keeps what is to be trained."""
START = "sgdr:start"
"""The system attribute of what is enqueued as a start: `Start.to_dict()` and `arm`, its arm or None."""

Arms = Mapping[str, Mapping[str, BaseDistribution]]
"""What is searched in each arm, by its name."""


def placed(trial: FrozenTrial, arms: Arms) -> tuple[str, dict[str, Any]]:
    """The arm of an enqueued trial, and those of its parameters that are given.

    The sampler chooses the other parameters. The arm is the one that the trial's user attribute `arm` names,
    else the first that searches all that is given; of a start, the one that the start names. Raises
    ValueError for what the space does not hold.
    """
    params, start = _params(trial), start_of(trial)
    named = trial.user_attrs.get(ARM) if start is None else start["arm"]
    if start is not None and named is None:
        raise ValueError("its schedule is that of no arm")
    if named is not None and named not in arms:
        raise ValueError(f"arm={named!r} is not searched; name one of {', '.join(arms)}")
    for name in arms if named is None else [named]:
        if params.keys() <= arms[name].keys():
            return name, {key: held(key, value, arms[name][key]) for key, value in params.items()}
    most = max(arms.values(), key=len)
    searched = ", ".join(most if named is None else arms[named])
    raise ValueError(
        f"the parameters {', '.join(map(str, params))} are not those of an arm; give of {searched}"
    )


def start_of(trial: FrozenTrial) -> Mapping[str, Any] | None:
    """What the trial states of the start that it is enqueued as; None where it is enqueued as none."""
    stated = trial.system_attrs.get(START)
    return stated if isinstance(stated, Mapping) and stated.keys() >= {"schedule", "hparams", "arm"} else None


def _params(trial: FrozenTrial) -> dict[str, Any]:
    fixed = trial.system_attrs.get(FIXED, {})
    if not isinstance(fixed, Mapping):
        raise ValueError(f"its attribute {FIXED}={fixed!r} must be a mapping from names to values")
    return {**trial.params, **fixed}


def held(name: str, value: Any, distribution: BaseDistribution) -> Any:
    """The value as the distribution has it. Raises ValueError for one that it does not hold."""
    try:
        internal = distribution.to_internal_repr(value)
        own = distribution.to_external_repr(internal)
        held = distribution._contains(internal) and own == value
    except (ValueError, TypeError, IndexError):
        held = False
    if not held:
        raise ValueError(f"{name}={value!r} is outside of the space, {_shown(distribution)}")
    return own


def _shown(distribution: BaseDistribution) -> str:
    choices = getattr(distribution, "choices", None)
    if choices is not None:
        return f"which has {', '.join(map(repr, choices))}"
    return f"which has {getattr(distribution, 'low', None)!r} to {getattr(distribution, 'high', None)!r}"
