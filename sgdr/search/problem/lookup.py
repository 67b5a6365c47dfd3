"""Workloads by name: those that are registered, and any object at a path."""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sgdr.extras import MissingPackage, needed_by
from sgdr.search.problem.user_code import told
from sgdr.search.problem.workload import CallableWorkload, Workload, check_declaration

ENTRY_POINTS = "sgdr.workloads"
"""The group of entry points by which packages register workloads."""


def registered() -> dict[str, importlib.metadata.EntryPoint]:
    """The installed workloads by name, none of them loaded."""
    points = importlib.metadata.entry_points(group=ENTRY_POINTS)
    return {point.name: point for point in sorted(points, key=lambda point: point.name)}


def find(name: str, *, allow_import: bool = False) -> Workload | CallableWorkload:
    """The workload registered as `name`, or, where `allow_import`, the object at `package.module:object`.

    An object that is neither a workload nor a callable workload is called without arguments and must
    return one, so that data is read only when the workload is used. Raises ValueError when there is none.
    """
    points = registered()
    if name in points or (allow_import and ":" in name):
        workload = _loaded(name, points[name].value if name in points else name)
    else:
        known = ", ".join(points) or "none is installed"
        hint = " or package.module:object" if allow_import else ""
        raise ValueError(f"unknown workload {name!r}: use one of {known}{hint}")
    if not isinstance(workload, Workload | CallableWorkload):
        raise ValueError(
            f"workload {name!r} is a {type(workload).__name__} without init, update and evaluate: "
            "give an object that has them, or a function decorated with @search.workload"
        )
    check_declaration(workload)
    return workload


def _loaded(name: str, path: str) -> Any:
    """The object at `path`, or what it returns where it is a class or a function without arguments."""
    module_name, _, attribute = path.partition(":")
    if module_name.startswith(".") or module_name.endswith(".py") or "/" in module_name:
        module = f"{Path(module_name).stem}:{attribute}"
        raise ValueError(
            f"workload {name!r}: {module_name!r} is no module; give {module}, from the folder where it lies"
        )
    try:
        with needed_by(f"workload {name!r}"):
            target: Any = importlib.import_module(module_name)
    except MissingPackage as error:
        raise ValueError(str(error)) from error
    except ModuleNotFoundError as error:
        its_own = module_name == error.name or module_name.startswith(f"{error.name}.")
        hint = "run from the folder that holds it, or install" if its_own else "it is imported there: install"
        raise ValueError(f"workload {name!r}: no module named {error.name!r}; {hint} the package") from error
    except Exception as error:
        raise ValueError(f"workload {name!r}: {module_name!r} cannot be imported: {told(error)}") from error
    for part in attribute.split("."):
        if not hasattr(target, part):
            raise ValueError(f"workload {name!r}: {module_name} has no {attribute!r}")
        target = getattr(target, part)
    ready = isinstance(target, Workload | CallableWorkload) and not isinstance(target, type)
    if ready or not callable(target):
        return target
    if not isinstance(target, type) and _takes_arguments(target):
        raise ValueError(
            f"workload {name!r}: {attribute}() takes arguments, and is no workload; decorate a training "
            "function with @search.workload(metric=…, direction=…, budget=…)"
        )
    try:
        return target()
    except ValueError:
        raise  # its own words, as on missing data
    except Exception as error:
        raise ValueError(f"workload {name!r}: calling it failed: {told(error)}") from error


def _takes_arguments(function: Callable[..., Any]) -> bool:
    """Whether it cannot be called without arguments."""
    try:
        inspect.signature(function).bind()
    except TypeError:
        return True
    except ValueError:  # of one that is not in Python
        return False
    return False
