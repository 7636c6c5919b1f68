import json
from collections import Counter

import pytest

from evals.datasets.cases import read_pipeline
from evals.datasets.loader import load_pipeline
from evals.datasets.records import DatasetError
from evals.scorers import File, Number, Outcome, Tools
from evals.scorers.number import numbers_in
from harness.tools.builtin import BUILTIN

CATEGORIES = {
    "earlier-thread", "within-thread", "preferences", "calculation", "time", "files", "ask-user",
    "approval", "wait", "no-tool", "several-tools", "follow-up",
}  # fmt: skip


@pytest.fixture(scope="module")
def cases():
    return load_pipeline("all").cases


def messages(cases):
    return [(case, message) for case in cases for message in case.messages]


def test_the_own_set_has_enough_cases_of_every_kind_in_both_splits(cases):
    assert len(cases) >= 40
    counted = Counter((case.category, case.split) for case in cases)
    assert {category for category, _ in counted} == CATEGORIES
    for category in CATEGORIES:
        assert counted[category, "tune"] >= 1
        assert counted[category, "test"] >= 3
    assert all(2 <= len(case.messages) <= 4 for case in cases)


def test_splits_are_apart_and_cover_the_set(cases):
    tune, test = load_pipeline("tune").cases, load_pipeline("test").cases
    assert {case.id for case in tune} | {case.id for case in test} == {case.id for case in cases}
    assert not {case.id for case in tune} & {case.id for case in test}


def test_every_tool_that_is_expected_exists(cases):
    known = {tool.spec.name for tool in BUILTIN}
    for case, message in messages(cases):
        for rule in message.expect.rules:
            if isinstance(rule, Tools):
                named = {name for either in rule.alternatives for name in either}
                assert named <= known, case.id


def test_no_number_that_is_asked_for_stands_in_its_question(cases):
    for case, message in messages(cases):
        for rule in message.expect.rules:
            if isinstance(rule, Number):
                assert not any(map(rule.accepts, numbers_in(message.text))), case.id


def test_files_that_are_looked_at_are_in_the_cases_own_folder(cases):
    for case, message in messages(cases):
        for rule in message.expect.rules:
            if isinstance(rule, File):
                assert rule.path.split("/")[0] == case.folder, case.id


def test_good_answers_that_are_written_down_are_found_good(cases):
    """Rules are fair if they accept what the set itself calls a good answer."""
    for case, message in messages(cases):
        for rule in message.expect.rules:
            if message.expect.answer is not None and not isinstance(rule, (Tools, File)):
                outcome = Outcome(message.text, message.expect.answer)
                assert rule.score(outcome) == 1, (case.id, message.text, rule)


def test_no_rule_is_met_by_an_empty_answer_alone(cases):
    for case, message in messages(cases):
        texts = [rule for rule in message.expect.rules if not isinstance(rule, (Tools, File))]
        if texts:
            assert min(rule.score(Outcome(message.text, "")) for rule in texts) == 0, case.id


GOOD = {
    "id": "a",
    "split": "test",
    "category": "some",
    "messages": [{"text": "?", "expect": {"scores": [{"scorer": "exact", "texts": ["b"]}]}}],
}


def written(tmp_path, *changed):
    lines = [json.dumps(GOOD | each) for each in changed]
    (tmp_path / "cases.jsonl").write_text("\n".join(lines))
    return tmp_path


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ([{"messages": []}], "messages"),
        ([{"split": "dev"}], "split"),
        ([{"messages": [{"text": "?", "expect": {"scores": [{"scorer": "bleu"}]}}]}], "bleu"),
        ([{"messages": [{"text": "?", "expect": {"scores": []}}]}], "scores"),
        ([{"files": {"a.txt": "x"}}], "FOLDER/FILE"),
        ([{"files": {"a/../b": "x"}}], "FOLDER/FILE"),
        ([{"files": {"/etc/b": "x"}}], "FOLDER/FILE"),
        ([{"files": {"a/b": "x", "c/b": "x"}}], "one folder"),
        ([{}, {}], "twice"),
        ([{"files": {"d/b": "x"}}, {"id": "z", "files": {"d/c": "x"}}], "share the folder 'd'"),
    ],
    ids=str,
)
def test_a_malformed_set_is_refused_in_a_line_that_names_the_fault(tmp_path, changed, told):
    with pytest.raises(DatasetError) as refused:
        read_pipeline(written(tmp_path, *changed))
    assert told.lower() in str(refused.value).lower()
    assert "cases.jsonl" in str(refused.value)


def test_a_set_without_labelled_examples_is_read(tmp_path):
    data = read_pipeline(written(tmp_path, {}))
    assert data.judge_examples == ()
    assert data.cases[0].messages[0].expect.status == "completed"
