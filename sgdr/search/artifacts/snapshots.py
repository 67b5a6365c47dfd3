"""The parameters of a study's finalists, kept beside its storage: a safetensors file a model.

A file's header holds what it is (trial, seed, epoch, values) and the form of its arrays, and its arrays are
named by their place in the state, so that anything that reads safetensors can use them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sgdr.atomic_write import replacing
from sgdr.search.problem import leaves
from sgdr.search.problem.workload import State, Workload
from sgdr.search.storage.connect import sqlite_file

if TYPE_CHECKING:
    import jax
    import numpy as np

SUFFIX = ".safetensors"
_PLAIN_NAME = re.compile(r"[a-z0-9_][a-z0-9_.-]{0,99}")
_PLAIN_TYPES = frozenset(
    ["bool", "bfloat16", "float16", "float32", "float64", "complex64"]
    + [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
)
"""The dtypes that the format knows; others are kept as bytes."""


@dataclass(frozen=True)
class Snapshot:
    """One model on disk."""

    trial: int
    seed: int
    epoch: int
    """Completed epochs."""
    values: Mapping[str, float]
    """What it is worth, by name."""
    path: Path


def folder(url: str, study: str) -> Path:
    """The folder of the snapshots of a study: beside the file of SQLite, else under the current folder.

    Every name has one of its own, also where the file system takes A for a. Raises ValueError for what
    is no URL.
    """
    file = sqlite_file(url)
    root = Path("sgdr-snapshots") if file is None else file.with_name(f"{file.name}.snapshots")
    return study_folder(root, study)


def study_folder(root: Path, study: str) -> Path:
    """The folder of a study's own in `root`."""
    if _PLAIN_NAME.fullmatch(study):
        return root / study
    name = study.encode("utf-8", "surrogatepass")
    # No plain name has the "~", so that none can be mistaken for one with a hash.
    return root / f"{quote(name, safe='')[:100]}~{hashlib.sha256(name).hexdigest()[:16]}"


class Snapshots:
    """The snapshots in a folder, which is made by the first. Other files in it are left alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, trial: int, seed: int, epoch: int, state: State, values: Mapping[str, float]) -> Path:
        """Writes a snapshot, in place of one of the same trial, seed and epoch.

        Either all of it is there afterwards or, on an OSError such as a full disk, nothing new.
        """
        from safetensors.numpy import save

        arrays, forms = {}, {}
        for name, leaf in leaves.named(state):
            arrays[name], forms[name] = _stored(leaf), _form(leaf)
        header = {
            "trial": trial,
            "seed": seed,
            "epoch": epoch,
            "values": {name: float(value) for name, value in values.items()},
            "arrays": forms,
        }
        data = save(arrays, {name: json.dumps(value) for name, value in header.items()})
        path = self.path(trial, seed, epoch)
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as unfinished:
            unfinished.write_bytes(data)
        return path

    def path(self, trial: int, seed: int, epoch: int) -> Path:
        """The path of the snapshot of that trial, seed and epoch, whether it is there or not."""
        return self.folder / f"trial-{trial:05d}-seed-{seed}-epoch-{epoch:04d}{SUFFIX}"

    def all(self) -> list[Snapshot]:
        """The snapshots that can be read, by trial, seed and epoch."""
        return self._matching("trial-*")

    def of(self, trial: int) -> list[Snapshot]:
        """The snapshots of one trial that can be read, by seed and epoch."""
        return self._matching(f"trial-{trial:05d}-*")

    def clear(self, trial: int, seed: int) -> None:
        """Removes the snapshots of one trial under one seed."""
        self._remove(f"trial-{trial:05d}-seed-{seed}-*")

    def delete(self) -> None:
        """Removes all snapshots, and the folder where nothing else is in it."""
        self._remove("trial-*")
        with contextlib.suppress(OSError):  # there is something else in it, or it never was
            self.folder.rmdir()

    def _matching(self, start: str) -> list[Snapshot]:
        readable = []
        for path in self.folder.glob(f"{start}{SUFFIX}"):
            try:
                snapshot, _, _ = _read(path, arrays=False)
            except ValueError:
                continue
            if path == self.path(snapshot.trial, snapshot.seed, snapshot.epoch):
                readable.append(snapshot)
        return sorted(readable, key=lambda snapshot: (snapshot.trial, snapshot.seed, snapshot.epoch))

    def _remove(self, start: str) -> None:
        # Also what a process that was killed while it wrote has left.
        for pattern in (f"{start}{SUFFIX}", f".{start}{SUFFIX}.*"):
            for path in self.folder.glob(pattern):
                path.unlink(missing_ok=True)


def load_snapshot(path: Path, workload: Workload) -> State:
    """The state in a snapshot, in NumPy arrays, of the form that the workload's `init` gives.

    Raises ValueError where there is no such file, it is cut short or no snapshot, or of another workload.
    """
    import jax

    _, forms, arrays = _read(path)
    shapes = jax.eval_shape(workload.init, jax.eval_shape(lambda: jax.random.key(0)))
    needed = {name: _form(leaf) for name, leaf in leaves.named(shapes)}
    for name in dict.fromkeys([*needed, *forms]):
        if forms.get(name) != needed.get(name):
            raise ValueError(
                f"snapshot {str(path)!r} does not fit workload {workload.name!r}: {name} is "
                f"{forms.get(name, 'not there')} in it, {needed.get(name, 'not there')} in the workload"
            )
    try:
        restored = [_restored(arrays[name], leaf) for name, leaf in leaves.named(shapes)]
    except (KeyError, ValueError, TypeError) as error:
        raise ValueError(f"snapshot {str(path)!r} does not hold what its header says: {error}") from error
    return jax.tree.unflatten(jax.tree.structure(shapes), restored)


def _read(
    path: Path, arrays: bool = True
) -> tuple[Snapshot, dict[str, str], dict[str, np.ndarray[Any, Any]]]:
    """What a file says it is, the forms of its leaves, and its arrays. Raises ValueError, naming the file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            header = {name: json.loads(value) for name, value in (file.metadata() or {}).items()}
            number = {name: int(header[name]) for name in ("trial", "seed", "epoch")}
            values = {str(name): float(value) for name, value in header["values"].items()}
            tensors = {name: file.get_tensor(name) for name in file.keys()} if arrays else {}  # noqa: SIM118
            return Snapshot(**number, values=values, path=path), dict(header["arrays"]), tensors
    except FileNotFoundError as error:
        raise ValueError(f"there is no snapshot {str(path)!r}") from error
    except OSError as error:
        raise ValueError(f"snapshot {str(path)!r} cannot be read: {error}") from error
    except SafetensorError as error:
        raise ValueError(f"snapshot {str(path)!r} is cut short or no safetensors file: {error}") from error
    except (KeyError, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"{str(path)!r} is a safetensors file, but no snapshot of a sweep") from error


def _form(leaf: Any) -> str:
    """The dtype and shape of a leaf, as errors show them: `float32[64, 10]`, `key<fry>[]` of a key of JAX."""
    return f"{leaf.dtype}{list(leaf.shape)}"


def _stored(leaf: Any) -> np.ndarray[Any, Any]:
    """The array that is written for a leaf: a key's words, and as bytes what the format does not know."""
    import numpy as np

    array = np.asarray(leaves.words(leaf), order="C")
    return array if array.dtype.name in _PLAIN_TYPES else np.frombuffer(array.tobytes(), np.uint8)


def _restored(array: np.ndarray[Any, Any], shape: jax.ShapeDtypeStruct) -> Any:
    """The leaf for which `_stored` gave `array`. Raises ValueError where it cannot be."""
    if leaves.is_key(shape):
        return _restored_key(array, shape)
    if shape.dtype.name not in _PLAIN_TYPES:
        array = array.view(shape.dtype).reshape(shape.shape)
    if _form(array) != _form(shape):
        raise ValueError(f"{_form(array)} is in the place of {_form(shape)}")
    return array


def _restored_key(array: np.ndarray[Any, Any], shape: jax.ShapeDtypeStruct) -> jax.Array:
    import jax
    import jax.numpy as jnp

    needed, kind = leaves.words_of(shape)
    restored: jax.Array = jax.random.wrap_key_data(jnp.asarray(_restored(array, needed)), impl=kind)
    return restored
