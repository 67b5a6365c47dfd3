"""`optimizer`: a schedule in any optimizer of optax, whose rate `rate` reads from the state.

A schedule is an `optax.Schedule` as it stands: ``optax.adamw(schedule)`` is all that a training needs. This
is for who wants to see the rate, clip gradients, or give groups of parameters schedules of their own.
"""

from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeAlias

from sgdr import checks
from sgdr.extras import needed_by

with needed_by("sgdr.adapters.optax"):
    import jax
    import optax

Schedule: TypeAlias = Callable[[Any], Any]


def optimizer(
    schedule: Schedule | Mapping[Hashable, Schedule],
    make: Callable[..., optax.GradientTransformation] = optax.adamw,
    *,
    labels: Any = None,
    clip_norm: float | None = None,
    **hparams: Any,
) -> optax.GradientTransformationExtraArgs:
    """The optimizer ``make(schedule, **hparams)``, with its rate in its state, where `rate` finds it.

    One update is one step of the schedule, also inside `optax.MultiSteps`, where several gradients make one.

    Args:
        schedule: from step to rate; or one for each group of parameters, by its label.
        make: optax's function for the optimizer, the rate being its first parameter.
        labels: which parameter is of which group, as `optax.partition` takes it: a tree of labels like the
            parameters, or a function that makes it of them. Only with several schedules.
        clip_norm: gradients are scaled down to this norm, taken over all groups; None for no clipping.
        hparams: further arguments of `make`, such as weight_decay; the same for all groups.

    Raises:
        ValueError: for a bad schedule or clip_norm, and for schedules without labels or labels without.
    """
    if isinstance(schedule, Mapping):
        if labels is None or not schedule:
            raise ValueError(
                f"labels must say which of the schedules {list(schedule)} is whose, got {labels!r}; "
                "give a tree of labels like the parameters, or one schedule"
            )
        by_label = {
            label: _injected(group_schedule, make, hparams) for label, group_schedule in schedule.items()
        }
        transform = optax.partition(by_label, labels)
    elif labels is not None:
        raise ValueError(
            "schedule must be a mapping from label to schedule where labels are given, "
            f"got {schedule!r}; leave labels out for one schedule"
        )
    else:
        transform = _injected(schedule, make, hparams)
    if clip_norm is None:
        return transform
    clip_norm = checks.norm("clip_norm", clip_norm)
    return optax.chain(optax.clip_by_global_norm(clip_norm), transform)


def rate(opt_state: Any) -> Any:
    """The rate of the last update, or the first rate where there was none yet, as an array.

    With schedules of several groups, a dict of their rates by label. `opt_state` is the state of an
    `optimizer`, or of anything around it or of `optax.inject_hyperparams` with a `learning_rate`. Where it
    holds several that no label tells apart, such as the states of two optimizers in a list, a dict of all by
    their paths, as `jax.tree_util.keystr` writes them. Raises ValueError where it holds no rate.
    """
    nodes = jax.tree_util.tree_leaves_with_path(opt_state, is_leaf=_has_rate)
    rates = [(path, node.hyperparams["learning_rate"]) for path, node in nodes if _has_rate(node)]
    if not rates:
        raise ValueError(
            f"opt_state must hold a learning_rate, got {type(opt_state).__name__} without; "
            "make the optimizer by sgdr.adapters.optax.optimizer"
        )
    by_label = {_label(path): value for path, value in rates}
    if set(by_label) == {None} and len(rates) == 1:
        return by_label[None]
    if len(by_label) == len(rates) and None not in by_label:
        return by_label
    return {jax.tree_util.keystr(path): value for path, value in rates}


def _label(path: tuple[Any, ...]) -> Any:
    """The innermost key of a dict on the way, which is the label of a group; None where there is none."""
    labels = [key.key for key in path if isinstance(key, jax.tree_util.DictKey)]
    return labels[-1] if labels else None


def _injected(
    schedule: Any, make: Callable[..., optax.GradientTransformation], hparams: Mapping[str, Any]
) -> optax.GradientTransformationExtraArgs:
    """The rate alone is injected: a mask, say, is a function too, and would be taken for a schedule."""
    if not callable(schedule):
        raise ValueError(f"schedule must be callable, got {schedule!r}; give e.g. a WarmRestarts")

    def make_with_rate(learning_rate: Any) -> optax.GradientTransformation:
        return make(learning_rate, **hparams)

    return optax.inject_hyperparams(make_with_rate)(schedule)


def _has_rate(node: Any) -> bool:
    return isinstance(node, optax.InjectStatefulHyperparamsState) and "learning_rate" in node.hyperparams
