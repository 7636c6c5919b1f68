import json

import pytest

from evals.datasets.files import split_by_hash
from evals.datasets.kinds import KINDS
from evals.datasets.loader import (
    PUBLIC,
    DatasetError,
    load_calls,
    load_conversations,
    load_pipeline,
    load_tools,
)
from evals.datasets.metatool import overlap
from evals.datasets.sessions import sessions_of


def _write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = value if isinstance(value, list) and path.suffix == ".jsonl" else None
    path.write_text("\n".join(map(json.dumps, lines)) if lines else json.dumps(value), "utf-8")


def _locomo_sample(sample_id):
    return {
        "sample_id": sample_id,
        "conversation": {
            "speaker_a": "Ada",
            "speaker_b": "Bo",
            "session_10_date_time": "9:00 am on 3 June, 2021",
            "session_10": [{"speaker": "Ada", "dia_id": "D10:1", "text": "The boat sank."}],
            "session_2_date_time": "1:56 pm on 8 May, 2021",
            "session_2": [
                {"speaker": "Ada", "dia_id": "D2:1", "text": "I bought a boat."},
                {"speaker": "Bo", "dia_id": "D2:2", "text": "Look!", "blip_caption": "a red boat"},
            ],
        },
        "qa": [
            {"question": "What?", "answer": 2, "evidence": ["D2:1; D:2:2", "D"], "category": 1},
            {"question": "Why?", "adversarial_answer": "x", "evidence": ["D10:1"], "category": 5},
            {"question": "Who?", "answer": "none", "evidence": [], "category": 3},
        ],
    }


@pytest.fixture
def locomo(tmp_path):
    _write(tmp_path / "locomo" / "locomo10.json", [_locomo_sample("conv-26"), _locomo_sample("z")])
    return tmp_path


def test_locomo_orders_sittings_by_number_and_dates_them(locomo):
    turns = load_conversations("tune", name="locomo", data_dir=locomo).threads["conv-26"]
    assert [turn.id for turn in turns] == ["conv-26/D2:1", "conv-26/D2:2", "conv-26/D10:1"]
    assert sessions_of(turns) == [0, 0, 1]
    assert [(turn.role, turn.speaker) for turn in turns[:2]] == [
        ("user", "Ada"),
        ("assistant", "Bo"),
    ]
    assert turns[1].text == "Look! [a red boat]"


def test_locomo_mends_evidence_and_leaves_out_questions_without(locomo):
    data = load_conversations("tune", name="locomo", data_dir=locomo)
    assert [question.category for question in data.questions] == ["multi-hop", "adversarial"]
    assert data.questions[0].evidence == ("conv-26/D2:1", "conv-26/D2:2")
    assert data.info.notes["left_out_without_evidence"] == 2


def test_locomo_is_split_by_conversation(locomo):
    for split, thread in (("tune", "conv-26"), ("test", "z")):
        assert set(load_conversations(split, name="locomo", data_dir=locomo).threads) == {thread}


def test_an_empty_split_says_what_the_files_hold(tmp_path):
    _write(tmp_path / "locomo" / "locomo_a.json", [_locomo_sample("conv-30")])
    with pytest.raises(DatasetError, match=r"'test' of dataset 'locomo' is empty.*hold: tune"):
        load_conversations("test", name="locomo", data_dir=tmp_path)


@pytest.mark.parametrize(
    ("name", "load"),
    [
        ("locomo", load_conversations),
        ("longmemeval", load_conversations),
        ("metatool", load_tools),
        ("metatool-two", load_tools),
        ("seal-tools", load_tools),
        ("bfcl", load_calls),
    ],
)
def test_a_missing_set_says_what_it_is_its_licence_and_its_place(tmp_path, name, load):
    if PUBLIC[name].find(name, None):
        pytest.skip("carried by an installed package")
    with pytest.raises(DatasetError) as raised:
        load("test", name=name, data_dir=tmp_path)
    text = str(raised.value)
    assert "\n" not in text
    for part in (
        PUBLIC[name].what,
        PUBLIC[name].licence,
        str(tmp_path / (PUBLIC[name].folder or name)),
    ):
        assert part in text


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("longmemeval", "longmemeval_s.json"),
        ("metatool", "all_clean_data.csv"),
        ("metatool-two", "multi_tool_query_golden.json"),
        ("seal-tools", "test_out_domain.jsonl"),
    ],
)
def test_files_of_a_missing_set_are_called_as_its_authors_call_them(tmp_path, name, file):
    with pytest.raises(DatasetError) as raised:
        PUBLIC[name].require(name, tmp_path)
    assert file in str(raised.value)
    assert "*" not in str(raised.value)


@pytest.mark.parametrize("load", [load_conversations, load_tools, load_calls, load_pipeline])
def test_a_data_folder_that_is_not_there_is_no_reason_to_measure_another_set(tmp_path, load):
    with pytest.raises(DatasetError, match=r"--data-dir .*mistyped is no folder"):
        load("test", data_dir=tmp_path / "mistyped")


def test_a_file_of_another_format_is_named(tmp_path):
    _write(tmp_path / "locomo" / "locomo1.json", [{"text": "hello"}])
    with pytest.raises(DatasetError, match=r"locomo1\.json: not in LoCoMo's format"):
        load_conversations("all", name="locomo", data_dir=tmp_path)


def _longmemeval_item(question_id, **more):
    """In the form of https://github.com/xiaowu0162/LongMemEval#-dataset-format."""
    return {
        "question_id": question_id,
        "question_type": "knowledge-update",
        "question": "How many cats have I got?",
        "answer": 3,
        "question_date": "2023/05/30 (Tue) 10:00",
        "haystack_dates": ["2023/05/22 (Mon) 02:21", "2023/05/20 (Sat) 02:21"],
        "haystack_session_ids": ["answer_late_1", "sharegpt_early_0"],
        "haystack_sessions": [
            [
                {"role": "user", "content": "A third cat came today.", "has_answer": True},
                {"role": "assistant", "content": "Lovely!", "has_answer": False},
                {"role": "user", "content": " "},
                {"role": "assistant", "content": "So three it is.", "has_answer": True},
            ],
            [{"role": "user", "content": "Hello."}, {"role": "assistant", "content": "Hi!"}],
        ],
        "answer_session_ids": ["answer_late_1"],
        **more,
    }


def test_longmemeval_gives_each_question_its_own_history_in_order_of_time(tmp_path):
    _write(
        tmp_path / "longmemeval" / "longmemeval_oracle.json",
        [_longmemeval_item("a1"), _longmemeval_item("a2", question_type="multi-session")],
    )
    data = load_conversations("all", name="longmemeval", data_dir=tmp_path)
    assert set(data.threads) == {"a1", "a2"}
    turns = data.threads["a1"]
    assert [turn.text for turn in turns] == [
        "Hello.", "Hi!", "A third cat came today.", "Lovely!", "So three it is.",
    ]  # fmt: skip
    assert [turn.role for turn in turns[2:]] == ["user", "assistant", "assistant"]
    assert sessions_of(turns) == [0, 0, 1, 1, 1]
    first, second = data.questions
    assert first.evidence == (turns[2].id, turns[4].id)
    assert (first.answer, first.category) == ("3", "knowledge-update")
    assert second.category == "multi-session"


def test_longmemeval_leaves_out_what_cannot_be_answered_or_found_and_says_so(tmp_path):
    unmarked = [[{"role": "user", "content": "Hello."}], [{"role": "user", "content": "Hi."}]]
    items = [
        _longmemeval_item("a1"),
        _longmemeval_item("a2_abs"),
        _longmemeval_item("a3", haystack_sessions=unmarked),
    ]
    _write(tmp_path / "longmemeval" / "longmemeval_s_cleaned.json", items)
    data = load_conversations("all", name="longmemeval", data_dir=tmp_path)
    assert [question.id for question in data.questions] == ["a1"]
    assert data.info.notes["left_out_without_evidence"] == 2


@pytest.mark.parametrize(
    "more", [{"haystack_dates": ["2023/05/22 (Mon) 02:21"]}, {"haystack_sessions": None}]
)
def test_longmemeval_of_another_form_is_named(tmp_path, more):
    _write(tmp_path / "longmemeval" / "longmemeval_s.json", [_longmemeval_item("a1", **more)])
    with pytest.raises(DatasetError, match=r"longmemeval_s\.json: not in LongMemEval's format"):
        load_conversations("all", name="longmemeval", data_dir=tmp_path)


@pytest.fixture
def metatool(tmp_path):
    folder = tmp_path / "metatool"
    _write(folder / "plugin_des.json", {"kite": "Flies kites.", "soup": "Cooks soup."})
    _write(
        folder / "plugin_info.json",
        [{"name_for_model": "kite", "description_for_model": "Wind is minded."}],
    )
    rows = [f"make thing number {n},{tool}" for tool in ("kite", "soup") for n in range(60)]
    rows += ["Fly it,kite", "FLY it!,kite", "Both?,kite", "both,soup"]
    (folder / "queries.csv").write_text("\n".join(["Query,Tool", *rows]), "utf-8")
    return tmp_path


def test_metatool_joins_both_descriptions_and_says_so(metatool):
    data = load_tools("all", name="metatool", data_dir=metatool)
    assert [tool.description for tool in data.tools] == [
        "Flies kites. Wind is minded.",
        "Cooks soup.",
    ]
    assert data.info.notes["descriptions"] == "longer for 1 of 2"


def test_metatool_holds_each_request_once_with_all_its_tools(metatool):
    data = load_tools("all", name="metatool", data_dir=metatool, per_tool=0)
    by_text = {query.text: query.tools for query in data.queries}
    assert len(data.queries) == 62
    assert by_text["Both?"] == ("kite", "soup")
    assert by_text["Fly it"] == ("kite",)


def test_metatool_is_read_by_the_names_that_its_authors_gave(metatool):
    before = load_tools("all", name="metatool", data_dir=metatool)
    folder = metatool / "metatool"
    (folder / "queries.csv").rename(folder / "all_clean_data.csv")
    assert load_tools("all", name="metatool", data_dir=metatool).queries == before.queries
    asked = [{"query": "Fly it, then eat", "tool": ["kite", "soup"]}]
    _write(folder / "multi_tool_query_golden.json", asked)
    assert len(load_tools("test", name="metatool-two", data_dir=metatool).queries) == 1


def test_metatool_balances_and_a_flag_changes_by_how_much(metatool):
    def counts(**more):
        data = load_tools("all", name="metatool", data_dir=metatool, **more)
        return max(sum(tool.name in q.tools for q in data.queries) for tool in data.tools)

    assert counts() == 12
    assert counts(per_tool=5) == 5


def test_metatool_splits_share_no_request_and_name_near_duplicates(metatool):
    tune = load_tools("tune", name="metatool", data_dir=metatool, per_tool=0)
    test = load_tools("test", name="metatool", data_dir=metatool, per_tool=0)
    assert not {query.text for query in tune.queries} & {query.text for query in test.queries}
    assert {query.category for query in tune.queries} == {None}
    assert {query.category for query in test.queries} <= {"near-duplicate", "distinct"}


def test_metatool_s_requests_for_two_tools_are_a_set_of_their_own_in_the_same_folder(metatool):
    asked = {"query": "Fly it, then eat", "tool": ["kite", "soup"]}
    path = metatool / "metatool" / "multi_tool_queries.json"
    _write(path, [asked, asked | {"query": "fly it then eat"}])
    data = load_tools("test", name="metatool-two", data_dir=metatool)
    assert [(query.text, query.tools) for query in data.queries] == [
        ("Fly it, then eat", ("kite", "soup"))
    ]
    assert data.tools == load_tools("all", name="metatool", data_dir=metatool).tools
    with pytest.raises(DatasetError, match="'tune' of dataset 'metatool-two' is empty"):
        load_tools("tune", name="metatool-two", data_dir=metatool)
    _write(path, [asked | {"tool": ["boat"]}])
    with pytest.raises(DatasetError, match="request 1: tool 'boat' is not in plugin_des"):
        load_tools("test", name="metatool-two", data_dir=metatool)


def test_overlap_is_that_of_sets_of_words():
    assert overlap(["a b c", "x"], ["a b c d", "b"]).tolist() == [0.75, 0.0]
    assert overlap(["a"], []).tolist() == [0.0]


def test_a_row_never_changes_sides_and_about_its_share_is_test():
    sides = [split_by_hash(f"row {n}", 0.25) for n in range(2000)]
    assert sides == [split_by_hash(f"row {n}", 0.25) for n in range(2000)]
    assert 400 < sides.count("test") < 600


def test_seal_tools_reads_catalogue_and_parts(tmp_path):
    folder = tmp_path / "seal-tools"
    tool = {
        "api_name": "getTide",
        "api_description": "Tide of a port.",
        "parameters": {"port": {"type": "str", "description": "Which"}},
        "required": ["port"],
    }
    asked = {"query": "High water?", "calling": [{"api": "getTide"}, {"api": "getTide"}]}
    _write(folder / "tool.jsonl", [tool])
    _write(folder / "dev.jsonl", [asked | {"id": "dev-1"}])
    _write(folder / "test_out_domain.jsonl", [asked | {"id": "out-1"}])
    data = load_tools("test", name="seal-tools", data_dir=tmp_path)
    assert data.tools[0].parameters["properties"]["port"]["type"] == "string"
    assert [(q.id, q.tools, q.category) for q in data.queries] == [
        ("out-1", ("getTide",), "out-of-domain")
    ]
    _write(folder / "dev.jsonl", [asked | {"id": "dev-1", "calling": [{"api": "gone"}]}])
    with pytest.raises(DatasetError, match="'dev-1' calls 'gone'"):
        load_tools("test", name="seal-tools", data_dir=tmp_path)


def test_bfcl_joins_cases_with_their_truth(tmp_path):
    case = {
        "question": [[{"role": "user", "content": "Double 4"}]],
        "function": [{"name": "double", "description": "", "parameters": {"type": "dict"}}],
    }
    truth = {"id": "multiple_0", "ground_truth": [{"double": {"n": [4]}}]}
    for category, name in (("multiple", "multiple_0"), ("irrelevance", "irrelevance_0")):
        path = tmp_path / "bfcl" / f"BFCL_v4_{category}.json"
        _write(path, case | {"id": name})
    _write(tmp_path / "bfcl" / "possible_answer" / "BFCL_v4_multiple.json", truth)
    cases = {case.id: case for case in load_calls("all", name="bfcl", data_dir=tmp_path).cases}
    assert cases["multiple_0"].truth == ({"double": {"n": [4]}},)
    assert cases["irrelevance_0"].truth == ()
    assert cases["multiple_0"].question[0][0]["content"] == "Double 4"


def test_bfcl_has_what_is_asked_in_several_categories_on_one_side(tmp_path):
    function = {"name": "double", "description": "", "parameters": {"type": "dict"}}
    for category in ("irrelevance", "live_irrelevance"):
        cases = [
            {
                "id": f"{category}_{n}",
                "question": [[{"role": "user", "content": f"Double {n}, please"}]],
                "function": [function],
            }
            for n in range(20)
        ]
        path = tmp_path / "bfcl" / f"BFCL_v4_{category}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(map(json.dumps, cases)), "utf-8")
    cases = load_calls("all", name="bfcl", data_dir=tmp_path).cases
    KINDS["calls"].refuse_mixed({"calls": list(cases)})
    assert {case.split for case in cases} == {"tune", "test"}


def test_a_set_of_another_kind_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="'locomo' is no set of tools; public ones: metatool"):
        load_tools(name="locomo", data_dir=tmp_path)
    with pytest.raises(DatasetError, match="'locomo' is no set of pipeline"):
        load_pipeline(name="locomo")
    with pytest.raises(DatasetError, match=r"own: conversations; public: locomo, longmemeval$"):
        load_conversations(name="locom")
