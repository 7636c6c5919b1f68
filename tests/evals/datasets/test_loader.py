import json
import shutil
from pathlib import Path

import pytest

from evals.datasets.loader import (
    CONVERSATION_FILES,
    OWN,
    DatasetError,
    folder_sha256,
    load_conversations,
    load_tools,
)


@pytest.fixture
def copied(tmp_path):
    """A data dir with a copy of the project's conversations, to be broken by a test."""
    shutil.copytree(OWN / "conversations", tmp_path / "mine")
    return tmp_path


def _edit_line(path: Path, index: int, **changes):
    lines = path.read_text("utf-8").splitlines()
    lines[index] = json.dumps(json.loads(lines[index]) | changes)
    path.write_text("\n".join(lines), "utf-8")


def _message(data_dir, **more):
    with pytest.raises(DatasetError) as raised:
        load_conversations(name="mine", data_dir=data_dir, **more)
    text = str(raised.value)
    assert "\n" not in text
    return text


def test_a_data_dir_comes_before_the_projects_own_sets(copied):
    (copied / "mine").rename(copied / "conversations")
    _edit_line(copied / "conversations" / "messages.jsonl", 0, text="Different.")
    own, other = load_conversations(), load_conversations(data_dir=copied)
    assert own.info.sha256 != other.info.sha256


def test_the_hash_is_that_of_the_files_whatever_the_split(copied):
    expected = folder_sha256(copied / "mine", CONVERSATION_FILES)
    for split in ("tune", "test", "all"):
        assert load_conversations(split, name="mine", data_dir=copied).info.sha256 == expected


def test_the_hash_changes_with_one_byte(copied):
    before = folder_sha256(copied / "mine", CONVERSATION_FILES)
    path = copied / "mine" / "questions.jsonl"
    path.write_bytes(path.read_bytes() + b"\n")
    assert folder_sha256(copied / "mine", CONVERSATION_FILES) != before


def test_an_unknown_dataset_names_those_there_are(tmp_path):
    with pytest.raises(DatasetError, match=r"'nope' not found.*own: tools"):
        load_tools(name="nope", data_dir=tmp_path)


def test_an_unknown_split_names_those_there_are(copied):
    assert "'dev'" in _message(copied, split="dev")


def test_a_line_that_is_not_json_is_named_by_file_and_number(copied):
    path = copied / "mine" / "messages.jsonl"
    path.write_text(path.read_text("utf-8") + "{oops\n", "utf-8")
    count = len(path.read_text("utf-8").splitlines())
    assert f"messages.jsonl:{count}: not JSON" in _message(copied)


def test_a_wrong_field_is_named(copied):
    _edit_line(copied / "mine" / "messages.jsonl", 2, role="robot")
    assert "messages.jsonl:3: role" in _message(copied)


def test_evidence_that_does_not_exist_is_named(copied):
    _edit_line(copied / "mine" / "questions.jsonl", 0, evidence=["ghost-1"])
    assert "'ghost-1'" in _message(copied)


def test_evidence_of_another_thread_is_refused(copied):
    other = load_conversations("test", name="mine", data_dir=copied).questions[0].evidence[0]
    _edit_line(copied / "mine" / "questions.jsonl", 0, evidence=[other])
    assert "is of thread" in _message(copied)


def test_a_repeated_id_is_refused(copied):
    path = copied / "mine" / "messages.jsonl"
    first = path.read_text("utf-8").splitlines()[0]
    path.write_text(path.read_text("utf-8") + first + "\n", "utf-8")
    assert "stands there twice" in _message(copied)


def test_a_missing_file_is_named(copied):
    (copied / "mine" / "questions.jsonl").unlink()
    assert "questions.jsonl is missing" in _message(copied)


def test_an_empty_file_is_refused(copied):
    (copied / "mine" / "questions.jsonl").write_text("")
    assert "no records" in _message(copied)


def test_a_query_for_an_unknown_tool_is_refused(tmp_path):
    shutil.copytree(OWN / "tools", tmp_path / "mine")
    _edit_line(tmp_path / "mine" / "queries.jsonl", 0, tools=["fly"])
    with pytest.raises(DatasetError, match="'fly' is not in catalogue"):
        load_tools(name="mine", data_dir=tmp_path)
