"""Writes the page of the public names, and the table of the options of a sweep.

Signatures and docstrings are read, and only those names are imported whose own are made of declared options.

python -m experiments.api_page --into docs/api.md --options docs/searching.md
"""

from __future__ import annotations

import argparse
import inspect
import pydoc
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import griffe

from sgdr.cli.options import words
from sgdr.search.problem.options import Place, options_of
from sgdr.search.problem.signatures import listing, taking
from sgdr.search.sweeps.config import OPTIONS

ROOT = Path(__file__).parents[1]
PAGES = {
    "sgdr": "Schedules, in Python, NumPy and JAX: `import sgdr`",
    "sgdr.relatives": "Other schedules, to compare with",
    "sgdr.decays": "Schedules that only fall",
    "sgdr.search": "The search: `from sgdr import search`",
    "sgdr.export": "A schedule as code: `from sgdr import export`",
    "sgdr.export.parity": "What a framework can do of it: `from sgdr.export import parity`",
    "sgdr.adapters.optax": "In optax",
    "sgdr.adapters.torch": "In PyTorch",
    "sgdr.adapters.keras": "In Keras",
    "sgdr.adapters.braintools": "In braintools",
}
HEAD = """# Public names

What `sgdr` offers to programs, one section for each module. The rest of the package may change.
The commands say what they take by `--help`, the service at `/docs`.

<!-- written by: python -m experiments.api_page -->
"""
WIDTH = 88
BEGIN = "<!-- written by: python -m experiments.api_page -->\n"
END = "<!-- end of the options -->\n"
MADE = (listing.__name__, taking.__name__)
"""The decorators of what has its docstring, and its signature, from declared options."""


def main() -> None:
    """Writes the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--into", type=Path, default=Path("docs/api.md"), help="the file")
    about = "the page with the table of options"
    parser.add_argument("--options", type=Path, default=Path("docs/searching.md"), help=about)
    arguments = parser.parse_args()
    arguments.into.write_text(page())
    arguments.options.write_text(with_options(arguments.options.read_text()))


def with_options(text: str) -> str:
    """A page with the present table of options between its marks."""
    before, rest = text.split(BEGIN)
    return "".join([before, BEGIN, options_table(), END, rest.split(END)[1]])


def options_table() -> str:
    """What `sgdr sweep` takes, as the options are declared."""
    lines = ["| option of `sweep` | default | meaning |", "| --- | --- | --- |"]
    for option in OPTIONS.values():
        if Place.COMMAND in option.shown:
            default = option.fallback or ("off" if option.default is False else option.text(option.default))
            lines.append(f"| `{option.flag}` | {default} | {words(option)} |")
    return "\n".join(["", *lines, ""])


def page() -> str:
    """The page as Markdown."""
    package = griffe.load("sgdr", search_paths=[ROOT])
    sections = [HEAD]
    for path, title in PAGES.items():
        module = package if path == "sgdr" else package[path.removeprefix("sgdr.")]
        sections.append(f"## {title}\n")
        if path != "sgdr" and module.docstring:
            sections.append(_prose(module.docstring.value))
        sections += [_entry(f"{path}.{name}", member) for name, member in _public(module)]
    return "\n".join(sections)


def _public(module: Any) -> Iterator[tuple[str, Any]]:
    """The classes and functions that a module offers: what a package exports, else all of its own."""
    package = bool(module.exports)
    for name, member in sorted(module.members.items(), key=lambda item: item[0].lower()):
        if name[0] == "_" or member.is_alias != package or (package and not _exports(module, name)):
            continue
        target = member.final_target if member.is_alias else member
        if (target.is_class or target.is_function) and target.docstring:
            yield name, target


def _exports(module: Any, name: str) -> bool:
    """The search imports its names when they are used, so that they stand under another list."""
    if module.path == "sgdr.search":
        return bool(module[name].target_path.startswith("sgdr.search."))
    return name in [str(export) for export in module.exports or []]


def _entry(path: str, target: Any) -> str:
    """One name: its signature, what its docstring says, and for a class its public members."""
    lines = [f"### `{path}`\n", "```python", _signature(target), "```\n", _prose(_docstring(target))]
    if target.is_class:
        members = [_member(member) for member in target.all_members.values() if _is_shown(member)]
        lines += [*members, ""] if members else []
    return "\n".join(lines)


def _made(target: Any) -> Any:
    """The object itself, where its docstring and its signature are made of options; else None."""
    names = {str(decorator.value).split("(")[0] for decorator in target.decorators}
    return None if names.isdisjoint(MADE) else pydoc.locate(target.path)


def _docstring(target: Any) -> str:
    return str(inspect.getdoc(_made(target)) if _made(target) else target.docstring.value)


def _is_shown(member: Any) -> bool:
    target = member.final_target if member.is_alias else member
    inside = target.canonical_path.startswith("sgdr.")
    return inside and member.name[0] != "_" and target.docstring is not None


def _member(member: Any) -> str:
    member = member.final_target if member.is_alias else member
    first = " ".join(member.docstring.value.split("\n\n")[0].split())
    name = _short(member) if member.is_function else member.name
    return f"- `{name}`: {_plain(first)}"


def _signature(target: Any) -> str:
    """The signature as it is called, a line for each parameter where it is long."""
    if target.is_class and "__init__" not in target.members:
        names = [
            member.name for member in target.members.values() if member.is_attribute and member.annotation
        ]
        return f"class {target.name}({', '.join(name for name in names if name[0] != '_')})"
    function = target.members["__init__"] if target.is_class else target
    made = _made(target)
    parts = _parameters(function) if made is None else _parameters_at_run_time(made)
    parts = [part for part in parts if part not in ("self", "cls")]
    returns = "" if target.is_class or function.returns is None else f" -> {function.returns}"
    head = f"class {target.name}" if target.is_class else target.name
    line = f"{head}({', '.join(parts)}){returns}"
    if len(line) <= WIDTH:
        return line
    return "\n".join([f"{head}(", *(f"    {part}," for part in parts), f"){returns}"])


def _short(function: Any) -> str:
    names = [part.split(":")[0].split("=")[0].strip() for part in _parameters(function)]
    return f"{function.name}({', '.join(name for name in names if name not in ('self', 'cls', '*', '/'))})"


def _parameters(function: Any) -> list[str]:
    """Each parameter as it is written, with the stars and slashes between them."""
    parts: list[str] = []
    starred = False
    for parameter in function.parameters:
        kind = parameter.kind.value
        if kind == "keyword-only" and not starred:
            parts.append("*")
            starred = True
        starred |= kind == "variadic positional"
        mark = {"variadic positional": "*", "variadic keyword": "**"}.get(kind, "")
        text = f"{mark}{parameter.name}"
        if parameter.annotation is not None:
            text += f": {parameter.annotation}"
        if parameter.default is not None and not mark:
            text += f" = {parameter.default}" if parameter.annotation is not None else f"={parameter.default}"
        parts.append(text)
    return parts


def _parameters_at_run_time(made: Any) -> list[str]:
    """The same of a function or a class whose annotations are texts."""
    constants = vars(inspect.getmodule(inspect.unwrap(made)))
    declared = options_of(made) if inspect.isclass(made) else {}
    parts: list[str] = []
    for name, parameter in inspect.signature(made).parameters.items():
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in parts:
            parts.append("*")
        default = declared[name].default if name in declared else parameter.default
        if repr(default).startswith("<"):  # an object, which has a name there
            equals = "".join(f" = {key}" for key, value in constants.items() if value is default)
        else:
            equals = f" = {default!r}"
        parts.append(f"{name}: {parameter.annotation}{equals}")
    return parts


def _prose(text: str) -> str:
    """A docstring as Markdown: its sections as lists, its examples as code."""
    blocks = []
    for block in text.split("\n\n"):
        lines = block.split("\n")
        if lines[0].lstrip().startswith(">>>"):
            blocks.append("\n".join(["```pycon", *(line.strip() for line in lines), "```"]))
        elif re.fullmatch(r"[A-Z]\w+:", lines[0]):
            items: list[str] = []
            for line in lines[1:]:
                if re.match(r" {4}\S", line):
                    items.append(re.sub(r"^(\S[^:]*):", r"`\1`:", line.strip()))
                elif items:
                    items[-1] += f" {line.strip()}"
            blocks.append("\n".join([lines[0], "", *(f"- {_plain(item)}" for item in items)]))
        else:
            indented = all(line.startswith("    ") for line in lines if line)
            blocks.append(block if indented else _plain(block))
    return "\n\n".join(blocks) + "\n"


def _plain(text: str) -> str:
    """Two backticks as Markdown's one."""
    return text.replace("``", "`")


if __name__ == "__main__":
    main()
