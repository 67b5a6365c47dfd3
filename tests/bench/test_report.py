import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.bench import report


def test_table_pads_and_aligns():
    assert report.table(["side", "s"], [["ours", "1"], ["theirs", "100"]]) == (
        "| side   |   s |\n| ------ | --: |\n| ours   |   1 |\n| theirs | 100 |"
    )


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (0.0, "0.00"),
        (0.001234, "0.00123"),
        (1.0, "1.00"),
        (9.999, "10.0"),
        (12.345, "12.3"),
        (999.6, "1,000"),
        (1_834_567.0, "1,830,000"),
    ],
)
def test_number_has_three_digits(value, shown):
    assert report.number(value) == shown


@given(st.floats(1e-6, 1e12))
def test_number_is_close(value):
    assert float(report.number(value).replace(",", "")) == pytest.approx(value, rel=0.006)


def test_share_and_size():
    assert report.share(1.0, 4.0) == "25 %"
    assert report.share(None, 4.0) == report.ABSENT
    assert report.size(1_234_567_890) == "1,235 MB"


def test_machine_names_versions():
    line = report.machine("numpy", "no-such-package")
    assert "numpy 2" in line
    assert "no-such-package not installed" in line
