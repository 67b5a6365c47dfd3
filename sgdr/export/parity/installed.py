"""The versions of frameworks that are installed, without importing them."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = {
    "torch": ("torch",),
    "optax": ("optax", "jax"),
    "keras": ("keras", "jax"),
    "braintools": ("braintools", "brainstate", "jax"),
    "transformers": ("transformers", "torch"),
}
_INSTALL = {
    "torch": "pip install 'sgdr[torch]'",
    "optax": "pip install 'sgdr[search]'",
    "keras": "pip install 'sgdr[keras]' jax",
    "braintools": "pip install 'sgdr[braintools]'",
    "transformers": "pip install 'transformers[torch]'",
}


@cache
def versions(target: str) -> dict[str, str]:
    """The versions of the packages that the target runs with.

    Raises LookupError that says how to install what is missing.
    """
    found = {}
    for package in _PACKAGES[target]:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            raise LookupError(f"{package} is not installed: {_INSTALL[target]}") from None
    return found
