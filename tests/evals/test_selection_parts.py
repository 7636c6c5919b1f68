import polars as pl
import pytest

from evals.selection_parts import number_table, reliability_by_number, tool_table


@pytest.fixture
def rows():
    return pl.DataFrame(
        {
            "sample": ["a", "b", "c", "d"],
            "gold": [["mail"], ["mail"], ["mail", "timer"], []],
            "chosen": ["mail", "draft", None, None],
            "confidence": [0.9, 0.8, 0.4, 0.1],
            "correct": [1.0, 0.0, 0.0, 0.0],
        }
    )


def test_each_number_of_tools_has_its_share_and_its_calibration(rows):
    table = number_table(rows)
    assert [row[:4] for row in table.rows] == [
        ("all", "4", "0.25", "0.55"),
        ("0 tools", "1", "0.00", "0.10"),
        ("1 tool", "2", "0.50", "0.85"),
        ("2 tools", "1", "0.00", "0.40"),
    ]
    assert table.rows[1][4].startswith("0.10 (")


def test_reliability_is_told_apart_by_number_where_numbers_differ(rows):
    assert [
        (name, sum(bin_.n for bin_ in bins)) for name, bins in reliability_by_number(rows).items()
    ] == [
        ("0 tools", 1),
        ("1 tool", 2),
        ("2 tools", 1),
    ]
    assert reliability_by_number(rows.head(2)) == {}


def test_each_tool_says_how_often_it_came_first_and_what_was_taken_instead(rows):
    mail, timer = tool_table(rows).rows
    assert mail[:3] == ("mail", "3", "0.33")
    assert mail[3] == "draft (1), (no tool) (1)"
    assert (timer[0], timer[1], timer[3]) == ("timer", "1", "(no tool) (1)")


def test_a_set_in_which_no_tool_is_needed_has_no_tool_to_show(rows):
    assert tool_table(rows.tail(1)).rows == ()
