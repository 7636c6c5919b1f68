import pytest

from harness.errors import HarnessError
from harness.tools.labelled import read_labelled


def test_each_line_is_a_request_and_its_tool(tmp_path):
    file = tmp_path / "labelled.jsonl"
    file.write_text(
        '{"request": " what is 6 times 7? ", "tool": "calculate"}\n\n'
        '{"request": "Wie spät ist es?", "tool": "current_time"}\n'
    )
    assert read_labelled(file) == [
        ("what is 6 times 7?", "calculate"),
        ("Wie spät ist es?", "current_time"),
    ]


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("{", "the line"),
        ('{"request": "hi"}', "tool"),
        ('{"request": " ", "tool": "wait"}', "request"),
        ('{"request": "hi", "tool": "wait", "user": "ada"}', "user"),
    ],
)
def test_a_line_that_is_not_one_is_named(tmp_path, line, field):
    file = tmp_path / "labelled.jsonl"
    file.write_text('{"request": "pause", "tool": "wait"}\n' + line)
    with pytest.raises(HarnessError, match=rf"labelled\.jsonl:2: {field}: .*Write lines like"):
        read_labelled(file)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(HarnessError, match=r"none\.jsonl"):
        read_labelled(tmp_path / "none.jsonl")
