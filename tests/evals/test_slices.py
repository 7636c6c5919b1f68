import io

import polars as pl
import pytest
from rich.console import Console

from evals.figures import build_document, figure
from evals.slices import print_slices

ROWS = pl.DataFrame(
    {
        "sample": [f"s{number}" for number in range(12)],
        "category": ["single", "several", "temporal"] * 4,
        "recall@10": [1.0, 0.0, 0.5] * 4,
        "first_rank": [1, None, 2] * 4,
        "error": [None, "no thread", None] * 4,
    },
    schema_overrides={"error": pl.String},
)
DOCUMENT = build_document("eval retrieval", {"recall@10": figure(0.5, "")}, {})


def printed(column: str, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    print_slices(ROWS, DOCUMENT, column, console)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [80, 200])
def test_each_value_and_figure_can_be_read_however_wide_the_terminal_is(width):
    lines = printed("category", width)
    assert not any("…" in line for line in lines)
    for value in ("single", "several", "temporal"):
        assert any(value in line for line in lines)
    assert max(map(len, lines)) <= width


def test_what_does_not_fit_beside_is_put_below():
    assert sum("recall@10" in line for line in printed("category", 80)) == 2
    assert sum("recall@10" in line for line in printed("category", 200)) == 1


def test_a_mean_has_its_interval_and_failures_are_counted():
    lines = printed("category", 200)
    [recall] = [line for line in lines if "recall@10" in line]
    assert "0 (0 – 0.602)" in recall
    assert "0.500 (0.500 – 0.500)" in recall
    [failed] = [line for line in lines if "failed" in line]
    assert [cell.strip() for cell in failed.split("│")[2:-1]] == ["4", "0", "0"]
