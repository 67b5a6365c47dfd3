"""The names under which a sweep keeps what belongs to a trial, and their forms."""

from __future__ import annotations

BEGUN = "schedule"
"""The user attribute that is written last of those that a trial begins with: what has it was begun."""
WORKER = "worker"
"""The user attribute that says whose trial it is, from the moment on at which it is claimed."""
ENQUEUED = "enqueued"
"""The user attribute of a trial that somebody had enqueued before a worker took it."""

FORMS: dict[str, type | tuple[type, ...]] = {
    WORKER: str,
    "arm": str,
    "seed": int,
    "epochs": int,
    "diverged_at": int,
    "retry_of": int,
    "seconds": (int, float),
    "error": str,
}
"""The types of the user attributes that a sweep writes with its trials, by name."""
OWN_ATTRIBUTES = (BEGUN, ENQUEUED, *FORMS)
"""User attributes that a worker writes with its trials."""
