import io

import pytest
from rich.console import Console

from harness.progress import LINES, CountedProgress


def lines(total, steps):
    out = io.StringIO()
    with CountedProgress("files", total, Console(file=out, width=200)) as progress:
        for count in steps:
            progress.advance(count)
    return out.getvalue().splitlines()


@pytest.mark.parametrize("step", [1, 3, 7])
def test_elsewhere_than_on_a_terminal_a_few_lines_are_printed_and_the_last_one(step):
    total = 210
    printed = lines(total, [step] * (total // step))
    assert len(printed) == LINES
    assert printed[-1].startswith("files: 210/210, 0 failed")


def test_more_than_was_expected_and_nothing_at_all_are_no_error():
    assert lines(2, [5])[-1].startswith("files: 5/2")
    assert lines(0, []) == []


def test_a_total_may_be_known_later():
    out = io.StringIO()
    with CountedProgress("files", 0, Console(file=out, force_terminal=True, width=99)) as progress:
        progress.total = 4
        progress.advance(failed=1)
    assert "1/4" in out.getvalue()
    assert "1 failed" in out.getvalue()
