"""The form's fields on the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nicegui import ui

from sgdr.search.problem.declaration import Declaration
from sgdr.search.problem.options import Group
from sgdr_service.dashboard.launching.form import (
    CHOICES,
    FORM,
    HPARAMS,
    RANGES,
    SWITCHES,
    Values,
    empty,
    ends,
    placeholders,
)
from sgdr_service.dashboard.layout import heading
from sgdr_service.sweeps.sweeps import engines

FOLDED = tuple(name for name, option in FORM.items() if option.group in (Group.MORE, Group.WORKERS))
"""Options that are shown when they are asked for, or say something."""
HPARAM_HINT = 'A number, [low, high], [low, high, "log"] or {"choices": [...]}'


class Fields:
    """All fields, by the names that `form` has for them."""

    def __init__(
        self,
        workloads: Sequence[str],
        values: Values,
        on_workload: Callable[[], Any],
        on_change: Callable[[], Any],
    ) -> None:
        """`values`: what they begin with; those of the workload itself are put in when it is declared.

        `on_workload` is called when another workload is chosen, `on_change` when anything else changes.
        """
        self._values = dict(values)
        self._on_change = on_change
        self._fields: dict[str, ui.input | ui.select] = {}
        self._faults: dict[str, ui.label] = {}
        self._switches: dict[str, ui.checkbox] = {}
        chosen = values["workload"] or None
        select = ui.select(list(workloads), value=chosen, label="Workload", on_change=on_workload)
        self._add("workload", select, "What is trained")
        self.about = ui.element("div").props("aria-live=polite")
        """What the workload says of itself."""
        ui.label("A field that is left empty means the value shown in grey.").classes("faint")
        self._group(Group.BASIC)
        heading(Group.SEARCHED, 2)
        self._group(Group.SEARCHED)
        blank = empty()
        self._more = ui.expansion(Group.MORE, value=any(values[name] != blank[name] for name in FOLDED))
        with self._more.classes("more"):
            self._group(Group.MORE)
            if len(engines()) > 1:
                heading(Group.WORKERS, 3)
                self._group(Group.WORKERS)
            self._further = ui.element("div")

    @property
    def values(self) -> Values:
        """The values as they stand; what has no field here is left to its default."""
        fields = {**self._fields, **self._switches}
        shown = {name: "" if field.value is None else field.value for name, field in fields.items()}
        return {**empty(), **shown}

    def declare(self, declared: Declaration | None) -> None:
        """Makes the fields for what the workload takes; None while it is not known."""
        for name in [name for name in self._fields if name.startswith(HPARAMS)]:
            del self._fields[name]
        self._further.clear()
        if declared is None:
            return
        if declared.hparams:
            with self._further:
                heading("Further values of the workload", 3)
                with ui.element("div").classes("form"):
                    for name in declared.hparams:
                        self._text(f"{HPARAMS}{name}", name, HPARAM_HINT)
        self.show_defaults(declared)

    def show_defaults(self, declared: Declaration) -> None:
        """Shows in every empty field what it means."""
        budget = str(self._fields["budget"].value or "")
        for name, default in placeholders(declared, budget).items():
            if name in self._fields:
                self._fields[name].props["placeholder"] = default

    def set_study(self, name: str) -> None:
        """Puts in the name of the study."""
        self._fields["study"].value = name

    def tell(self, errors: Mapping[str, str]) -> list[str]:
        """Shows errors at their fields, and none at the others. Returns those for which there is no field."""
        for name, field in self._fields.items():
            faulty = name in errors
            self._faults[name].text = errors.get(name, "")
            field.props.update({"error": faulty or None, "aria-invalid": str(faulty).lower()})
        if any(name in FOLDED or name.startswith(HPARAMS) for name in errors):
            self._more.open()
        return [words for name, words in errors.items() if name not in self._fields]

    def focus_fault(self) -> list[str]:
        """Moves the focus to the first field that shows an error. Returns the labels of all that do."""
        faulty = [field for field in self._fields.values() if field.props["error"]]
        if faulty:
            faulty[0].run_method("focus")  # which does not scroll
            ui.run_javascript(f"getHtmlElement({faulty[0].id}).scrollIntoView({{block: 'center'}})")
        return [str(field.label) for field in faulty]

    def _group(self, group: Group) -> None:
        """Adds the options that stand together, their switches last."""
        options = {name: option for name, option in FORM.items() if option.group is group}
        with ui.element("div").classes("form"):
            for name, option in options.items():
                if name in RANGES:
                    self._range(name, option.ends)
                elif name in CHOICES:
                    self._choice(name, option.title, option.help)
                elif name not in SWITCHES:
                    self._text(name, option.title, option.help)
        for name in [name for name in options if name in SWITCHES]:
            words = f"{options[name].title}: {options[name].help[:1].lower()}{options[name].help[1:]}"
            self._switches[name] = ui.checkbox(words, value=self._values[name], on_change=self._on_change)

    def _text(self, name: str, label: str, hint: str) -> None:
        # What a workload takes is put in once: another may have something of the same name.
        value = self._values.pop(name, "") if name.startswith(HPARAMS) else self._values[name]
        field = ui.input(label, value=value, on_change=self._on_change)
        self._add(name, field.props("stack-label autocomplete=off spellcheck=false"), hint)

    def _range(self, name: str, hints: tuple[str, str]) -> None:
        with ui.element("div").classes("range").props(f"role=group aria-label={name}"):
            for end, label, hint in zip(ends(name), ("low", "high"), hints, strict=True):
                self._text(end, f"{name} {label}", hint)

    def _choice(self, name: str, label: str, hint: str) -> None:
        select = ui.select(
            list(CHOICES[name]), value=self._values[name], label=label, on_change=self._on_change
        )
        self._add(name, select, hint)

    def _add(self, name: str, field: ui.input | ui.select, hint: str) -> None:
        """Adds a field, read out with its hint and its error, which Quasar alone only shows below it."""
        with field.props("outlined bottom-slots hide-bottom-space"):
            with field.add_slot("hint"):
                advice = ui.label(hint)
            with field.add_slot("error"):
                self._faults[name] = fault = ui.label().props("role=alert")
        field.props(f'aria-describedby="{advice.html_id} {fault.html_id}"')
        self._fields[name] = field
