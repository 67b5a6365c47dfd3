"""What tests ask of the tables of trials of a study before and after it was cut off."""

import pandas as pd

REPEATED = ["arm", "base_lr", "T_0", "T_mult", "eta_min", "seed"]
"""What a trial that repeats another has of it."""


def check_unchanged(table: pd.DataFrame, before: pd.DataFrame) -> None:
    """Check that trials are as they were; what no trial had then has no column of numbers yet."""
    told = before.dropna(axis="columns", how="all")
    pd.testing.assert_frame_equal(table.loc[told.index, told.columns], told, check_dtype=False)


def check_repeated(again: pd.DataFrame, dead: pd.DataFrame) -> None:
    """Check that each dead trial is trained again as it was; `again` has those that do, by its number."""
    repeated = again.loc[dead.index, REPEATED].reset_index(drop=True)
    pd.testing.assert_frame_equal(repeated, dead[REPEATED].reset_index(drop=True), check_dtype=False)
