"""What the paper reports: test errors in percent on CIFAR-10 and CIFAR-100.

Loshchilov and Hutter, ICLR 2017 (arXiv:1608.03983v5), tables 1 and 2.
"""

from __future__ import annotations

EPOCHS = 200
DATA = ("CIFAR-10", "CIFAR-100")

WRN_28_10: dict[str, tuple[float, float]] = {
    "decay-high": (4.24, 20.33),
    "decay-low": (4.13, 20.21),
    "t50": (4.17, 19.99),
    "t100": (4.07, 19.87),
    "t200": (3.86, 19.98),
    "t1-double": (4.09, 19.74),
    "t10-double": (4.03, 19.58),
}
"""Medians of 5 runs."""

ENSEMBLES: dict[int, tuple[float, float]] = {1: (4.03, 19.57), 3: (3.51, 17.75)}
"""Errors of ensembles of so many last troughs of one run of WRN-28-10 with t10-double; the first are medians
of 16 runs."""
