"""`python -m sgdr_service.sweeps.describe NAME`: what a workload declares, as one line of JSON on stdout.

A workload is the user's code and may load JAX and data, so it is asked in a process of its own. The line is
`Declaration.to_dict`, or {"error": …} in words that a client may read; everything else goes to stderr.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import Any

from sgdr.search.problem import hparams
from sgdr.search.problem.declaration import Declaration
from sgdr.search.problem.functions import check_functions
from sgdr.search.problem.lookup import find
from sgdr.search.problem.workload import CallableWorkload
from sgdr_service.sweeps.children import NICENESS
from sgdr_service.sweeps.public_errors import public_words


def main() -> None:
    """Answers, and ends the process, whatever threads the workload has left."""
    os.nice(NICENESS)
    answers = os.dup(1)
    os.dup2(2, 1)  # what the workload prints, in whatever language it is written
    os.write(answers, (json.dumps(_answer(sys.argv[1])) + "\n").encode())
    sys.stderr.flush()
    os._exit(0)


def _answer(name: str) -> dict[str, Any]:
    try:
        workload = find(name)
        declared = Declaration.of(workload)
        if not isinstance(workload, CallableWorkload):
            check_functions(workload, hparams.examples(hparams.dtypes(workload, declared.hparams)))
        return declared.to_dict()
    except BaseException as error:  # sys.exit() in a module too
        traceback.print_exc()
        return {"error": public_words(error)}


if __name__ == "__main__":
    main()
