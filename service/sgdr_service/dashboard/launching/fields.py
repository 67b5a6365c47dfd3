"""The form's fields on the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nicegui import ui

from sgdr.search.problem.declaration import Declaration
from sgdr.shapes import RELATIVES
from sgdr_service.dashboard.launching.form import CHOICES, HPARAMS, Values, empty, ends, placeholders
from sgdr_service.dashboard.layout import heading
from sgdr_service.sweeps.request import OF_RAY
from sgdr_service.sweeps.sweeps import engines

BASIC = ("study", "trials", "budget")
MORE = ("slots", "controls", "relatives", "seed", "timeout")
LABELS = {
    "workload": ("Workload", "What is trained"),
    "study": ("Study", "Its name: trials, curves and the best schedule are kept by it"),
    "trials": ("Trials", "To be finished, those of earlier runs of the study included"),
    "budget": ("Budget", "Epochs of one trial"),
    "base_lr.0": ("base_lr low", "Of the peak rate, above 0"),
    "base_lr.1": ("base_lr high", "The same as low fixes it"),
    "T_0.0": ("T_0 low", "Epochs of the first cycle"),
    "T_0.1": ("T_0 high", "At most the budget"),
    "T_mult": ("T_mult", "Factors by which cycles may grow, with commas between"),
    "eta_ratio.0": ("eta_ratio low", "Of eta_min / base_lr, from 0"),
    "eta_ratio.1": ("eta_ratio high", "At most 1"),
    "slots": ("Slots", "Trials trained side by side: a number, or auto"),
    "controls": ("Controls", "Share of the trials without restarts, from 0 to below 1"),
    "relatives": ("Relatives", f"Further arms, of {', '.join(RELATIVES)}: each half as many as the controls"),
    "seed": ("Seed", "The same seed gives the same sweep"),
    "timeout": ("Timeout", "Seconds after which it stops, to be resumed"),
    "objective": ("Objective", "What a trial is worth"),
    "pruner": ("Pruner", "Ends trials that lag behind"),
    "sampler": ("Sampler", "Chooses what is tried next"),
    "engine": ("Engine", "local: one worker on the service's host; ray: several"),
    "workers": ("Workers", "How many; for the engine ray, as the next two"),
    "cpus_per_worker": ("Cores per worker", "A whole number, or a fraction below 1"),
    "gpus_per_worker": ("GPUs per worker", "A whole number, or that share of one and of its memory"),
}
SWITCHED = {
    "closed": "Closed: search the number of cycles in place of T_0, and end trials at their last trough",
    "confirm": "Confirm: then train the best again on new seeds, for a verdict",
    "resume": "Resume: go on with the study where there is one",
}
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
        label, hint = LABELS["workload"]
        chosen = values["workload"] or None
        select = ui.select(list(workloads), value=chosen, label=label, on_change=on_workload)
        self._add("workload", select, hint)
        self.about = ui.element("div").props("aria-live=polite")
        """What the workload says of itself."""
        ui.label("A field that is left empty means the value shown in grey.").classes("faint")
        with ui.element("div").classes("form"):
            for name in BASIC:
                self._text(name)
        heading("What is searched", 2)
        with ui.element("div").classes("form"):
            for name in ("base_lr", "T_0"):
                self._range(name)
            self._text("T_mult")
            self._range("eta_ratio")
        self._switch("closed")
        blank = empty()
        told = any(values[name] != blank[name] for name in (*CHOICES, *MORE, *OF_RAY, "confirm", "resume"))
        self._more = ui.expansion("More", value=told).classes("more")
        with self._more:
            with ui.element("div").classes("form"):
                for name in CHOICES:
                    if name != "engine":
                        self._choice(name)
                for name in MORE:
                    self._text(name)
            if len(engines()) > 1:
                heading("Workers", 3)
                with ui.element("div").classes("form"):
                    self._choice("engine")
                    for name in OF_RAY:
                        self._text(name)
            for name in ("confirm", "resume"):
                self._switch(name)
            self._further = ui.element("div")

    @property
    def values(self) -> Values:
        """The values as they stand; what has no field here is left to its default."""
        given = {**self._fields, **self._switches}
        shown = {name: "" if field.value is None else field.value for name, field in given.items()}
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
                    for each in declared.hparams:
                        self._text(f"{HPARAMS}{each}", each, HPARAM_HINT)
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
        if any(name in (*CHOICES, *MORE, *OF_RAY) or name.startswith(HPARAMS) for name in errors):
            self._more.open()
        return [words for name, words in errors.items() if name not in self._fields]

    def focus_fault(self) -> list[str]:
        """Moves the focus to the first field that shows an error. Returns the labels of all that do."""
        found = [field for field in self._fields.values() if field.props["error"]]
        if found:
            found[0].run_method("focus")  # which does not scroll
            ui.run_javascript(f"getHtmlElement({found[0].id}).scrollIntoView({{block: 'center'}})")
        return [str(field.label) for field in found]

    def _text(self, name: str, label: str | None = None, hint: str | None = None) -> None:
        known, advice = LABELS.get(name, (label, hint))
        # What a workload takes is put in once: another may have something of the same name.
        value = self._values.pop(name, "") if name.startswith(HPARAMS) else self._values[name]
        field = ui.input(known, value=value, on_change=self._on_change)
        self._add(name, field.props("stack-label autocomplete=off spellcheck=false"), advice or "")

    def _range(self, name: str) -> None:
        with ui.element("div").classes("range").props(f"role=group aria-label={name}"):
            for end in ends(name):
                self._text(end)

    def _choice(self, name: str) -> None:
        label, hint = LABELS[name]
        made = ui.select(
            list(CHOICES[name]), value=self._values[name], label=label, on_change=self._on_change
        )
        self._add(name, made, hint)

    def _add(self, name: str, field: ui.input | ui.select, hint: str) -> None:
        """Adds a field, read out with its hint and its error, which Quasar alone only shows below it."""
        with field.props("outlined bottom-slots hide-bottom-space"):
            with field.add_slot("hint"):
                advice = ui.label(hint)
            with field.add_slot("error"):
                self._faults[name] = fault = ui.label().props("role=alert")
        field.props(f'aria-describedby="{advice.html_id} {fault.html_id}"')
        self._fields[name] = field

    def _switch(self, name: str) -> None:
        self._switches[name] = ui.checkbox(
            SWITCHED[name], value=self._values[name], on_change=self._on_change
        )
