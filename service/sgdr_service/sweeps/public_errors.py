"""What of an error a client may read: the rest could tell paths, hosts and secrets."""

from __future__ import annotations

LONGEST = 500
"""Characters."""


def public_words(error: BaseException) -> str:
    """A ValueError's message, which is written for users; of any other error its kind alone.

    Where the library has put an error of the user's code into words, that error counts.
    """
    cause = error.__cause__ or error
    words = " ".join(str(cause).split()) if isinstance(cause, ValueError) else ""
    return words[:LONGEST] or type(cause).__name__
