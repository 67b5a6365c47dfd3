"""`python -m sgdr`, the same as the command `sgdr`."""

import sys

from sgdr.cli import main

if __name__ == "__main__":
    sys.exit(main())
