"""The command `sgdr`, also as `python -m sgdr`; without the extra `search` it says what to install."""

import sys

from sgdr.extras import MissingPackage, needed_by


def main() -> int:
    """Runs the command line and returns its exit code."""
    try:
        with needed_by("the command sgdr"):
            from sgdr.cli import main as run

            return run()
    except MissingPackage as error:
        print(f"sgdr: {error}", file=sys.stderr)  # noqa: T201
        return 2  # as for any bad input


if __name__ == "__main__":
    sys.exit(main())
