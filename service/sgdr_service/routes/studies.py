"""`/v1/studies`: what searches have found."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic_core import to_json

from sgdr.choices import State
from sgdr.search.evaluation.study_comparison import StudyComparison, kept_comparison
from sgdr.search.study.answer import Answer
from sgdr.search.study.columns import COLUMNS
from sgdr.search.study.listing import ordered
from sgdr.search.study.study import Study
from sgdr.search.study.verdict import Verdict
from sgdr_service import problems
from sgdr_service.paging import Limit, Offset, Page, cut
from sgdr_service.presenters import column, details, summary, trial
from sgdr_service.problems import Problem
from sgdr_service.schemas import Arm, StudyDetails, StudySummary
from sgdr_service.strict_params import StrictRoute
from sgdr_service.study_cache import Library
from sgdr_service.tables import curves_csv, trials_csv
from sgdr_service.trial_schemas import Trial, TrialRow

TRIALS = (
    "number,state,arm,value,base_lr,T_0,T_mult,eta_min,…\n38,COMPLETE,restarts,0.01163,0.1548,4,1,0.00458,…\n"
)
CURVES = "number,epoch,error,loss\n38,1,0.31,1.1\n38,2,0.12,0.5\n"

router = APIRouter(prefix="/v1/studies", tags=["studies"], route_class=StrictRoute)


def library(request: Request) -> Library:
    """The app's studies."""
    library: Library = request.app.state.library
    return library


Studies = Annotated[Library, Depends(library)]
Name = Annotated[
    str, Path(description="The study's name: one segment of the path, percent-encoded.", examples=["digits"])
]
Number = Annotated[int, Path(ge=0, le=2**31 - 1, description="The trial's number.", examples=[38])]


class TrialFilter:
    """A filter of trials, and the order in which they come."""

    def __init__(
        self,
        sort: Annotated[
            str,
            Query(
                pattern="^-?[^-].*$",
                max_length=200,
                description="A column, with - before it the largest first; empty cells come last. There are: "
                f"{', '.join(COLUMNS)}, and hparams.NAME.",
                examples=["value", "-T_0"],
            ),
        ] = "number",
        state: Annotated[
            list[State] | None, Query(description="One or several.", examples=[["COMPLETE"]])
        ] = None,
        arm: Annotated[
            list[Arm] | None, Query(description="One or several.", examples=[["restarts"]])
        ] = None,
        min_value: Annotated[
            float | None,
            Query(allow_inf_nan=False, description="Completed, with at least this value.", examples=[0.0]),
        ] = None,
        max_value: Annotated[
            float | None,
            Query(allow_inf_nan=False, description="Completed, with at most this value.", examples=[0.1]),
        ] = None,
    ) -> None:
        self._sort, self._states, self._arms = sort, state, arm
        self._low, self._high = min_value, max_value

    def __call__(self, study: Study) -> list[dict[str, Any]]:
        """The study's rows that pass, in that order. Raises a problem for a column that there is not."""
        rows = study.rows
        if self._states is not None:
            rows = [row for row in rows if row["state"] in self._states]
        if self._arms is not None:
            rows = [row for row in rows if row["arm"] in self._arms]
        if self._low is not None:
            rows = [row for row in rows if row["value"] is not None and row["value"] >= self._low]
        if self._high is not None:
            rows = [row for row in rows if row["value"] is not None and row["value"] <= self._high]
        if self._sort == "number":  # as they are
            return rows
        return ordered(rows, column(study, self._sort.removeprefix("-")), self._sort.startswith("-"))


Filter = Annotated[TrialFilter, Depends()]


@router.get(
    "", response_model=Page[StudySummary], responses=problems.responses(422, 503), summary="All studies"
)
def studies(
    library: Studies,
    workload: Annotated[str | None, Query(description="Of this workload only.", examples=["digits"])] = None,
    sort: Annotated[
        Literal["study", "-study", "workload", "-workload", "started", "-started"],
        Query(description="With - before it, the other way round."),
    ] = "study",
    limit: Limit = 100,
    offset: Offset = 0,
) -> Response:
    """Every study in short, a page at a time."""
    chosen = [study for study in library.all() if workload in (None, study.stored.workload)]
    by = {
        "study": lambda study: study.name,
        "workload": lambda study: study.stored.workload,
        "started": lambda study: study.started,
    }[sort.removeprefix("-")]
    return answer(cut(ordered(chosen, by, sort.startswith("-")), limit, offset, summary))


@router.get(
    "/{study}", response_model=StudyDetails, responses=problems.responses(404, 422, 503), summary="One study"
)
def study(study: Name, library: Studies) -> Response:
    """A study: how far it is, its best trial, and what it was made with."""
    return answer(details(library.study(study)))


@router.get(
    "/{study}/trials",
    response_model=Page[TrialRow],
    responses=problems.responses(404, 422, 503),
    summary="Its trials",
)
def trials(study: Name, library: Studies, chosen: Filter, limit: Limit = 100, offset: Offset = 0) -> Response:
    """The trials of a study, a page at a time."""
    return answer(cut(chosen(library.study(study)), limit, offset, lambda row: row))


@router.get(
    "/{study}/trials.csv",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {"example": TRIALS}}}, **problems.responses(404, 422, 503)},
    summary="Its trials as CSV",
)
def trials_as_csv(study: Name, library: Studies, chosen: Filter) -> Response:
    """The trials of a study, a row each."""
    read = library.study(study)
    return _csv(trials_csv(read, chosen(read)))


@router.get(
    "/{study}/curves.csv",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {"example": CURVES}}}, **problems.responses(404, 422, 503)},
    summary="Its learning curves as CSV",
)
def curves_as_csv(study: Name, library: Studies, chosen: Filter) -> Response:
    """The curves of a study's trials, a row an epoch."""
    read = library.study(study)
    return _csv(curves_csv(read, [row["number"] for row in chosen(read)]))


@router.get(
    "/{study}/trials/{number}",
    response_model=Trial,
    responses=problems.responses(404, 422, 503),
    summary="One trial",
)
def one_trial(study: Name, number: Number, library: Studies) -> Response:
    """A trial with its curves."""
    return answer(trial(library.study(study), number))


@router.get(
    "/{study}/verdict",
    response_model=Verdict,
    responses=problems.responses(404, 422, 503),
    summary="Whether restarts help",
)
def verdict(study: Name, library: Studies) -> Response:
    """What `sgdr confirm` found; 404 with the reason until it has found anything."""
    verdict = library.study(study).verdict
    if verdict is None:
        raise Problem(404, f"study {study!r} has no verdict on restarts yet; `sgdr confirm` gives it")
    return answer(verdict.to_dict())


@router.get(
    "/{study}/answer",
    response_model=Answer,
    responses=problems.responses(404, 422, 503),
    summary="Which schedule to use",
)
def which(
    study: Name,
    library: Studies,
    margin: Annotated[
        float | None,
        Query(
            ge=0,
            allow_inf_nan=False,
            description="Differences below it, in the unit of the metric, do not count: the simplest is "
            "recommended. Where it is left out, it is the sweep's, else a fifth of the standard deviation "
            "between seeds.",
            examples=[0.001],
        ),
    ] = None,
) -> Response:
    """The schedule to use, how sure that is, and whether restarts help; 404 before a trial is complete."""
    read = library.study(study)
    try:
        return answer(read.answer_within(margin).to_dict())
    except ValueError as error:
        raise Problem(404, str(error)) from None


@router.get(
    "/{study}/comparison",
    response_model=StudyComparison,
    responses=problems.responses(404, 422, 503),
    summary="Schedules on the same seeds",
)
def comparison(study: Name, library: Studies) -> Response:
    """What `sgdr compare` has kept, the recommended schedule first; 404 with the reason before."""
    try:
        kept = kept_comparison(library.study(study))
    except ValueError as error:
        raise Problem(404, str(error)) from None
    if kept is None:
        raise Problem(404, f"study {study!r} keeps no comparison yet; `sgdr compare` makes one")
    return answer(kept.to_dict())


def answer(content: Any, status: int = 200, **headers: str) -> Response:
    """The answer with plain values, or an instance of a dataclass, as JSON; what is not finite is null."""
    return Response(to_json(content, inf_nan_mode="null"), status, headers, "application/json")


def _csv(lines: Any) -> Response:
    return StreamingResponse(lines, media_type="text/csv; charset=utf-8")
