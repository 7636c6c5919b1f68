import json
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.datasets.columns import Columns
from evals.datasets.command import app
from evals.datasets.exporter import export_set
from evals.datasets.importer import import_set
from evals.datasets.kinds import KINDS, kind_of
from evals.datasets.listing import list_sets, whole_sets
from evals.datasets.loader import OWN, DatasetError, load_conversations, load_tools
from evals.datasets.records import CallCase, CatalogueTool, Question, ToolQuery, Turn
from evals.datasets.tables import FORMATS, write_rows

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NAMES = st.text("abcdef-_.é ,;\"'\n", min_size=1, max_size=6).filter(
    lambda text: text == text.strip()
)
SPLITS = st.sampled_from(["tune", "test"])
MOMENTS = st.integers(0, 2**45)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)
OBJECTS = st.dictionaries(TEXTS, JSON, max_size=3)


def _numbered(strategy, **more):
    return st.lists(strategy, min_size=1, max_size=4).map(
        lambda items: [item.model_copy(update={"id": f"n{n}"}) for n, item in enumerate(items)]
    )


@st.composite
def _tool_parts(draw):
    names = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
    tools = [
        CatalogueTool(name=n, description=draw(TEXTS), parameters=draw(OBJECTS)) for n in names
    ]
    wanted = st.lists(st.sampled_from(names), unique=True).map(tuple)
    query = st.builds(
        ToolQuery, id=st.just(""), split=SPLITS, text=TEXTS, tools=wanted,
        category=st.none() | TEXTS,
    )  # fmt: skip
    queries = draw(_numbered(query))
    # Texts that are the same text must be on one side.
    numbered = [q.model_copy(update={"text": f"{q.id} {q.text}"}) for q in queries]
    return "tools", {"catalogue": tools, "queries": numbered}


@st.composite
def _conversation_parts(draw):
    threads = draw(st.dictionaries(NAMES, SPLITS, min_size=1, max_size=3))
    user = st.none() | st.just("one")
    shared = draw(user) if len(set(threads.values())) == 1 else None
    turn = st.builds(
        Turn, id=st.just(""), thread=st.just(""), role=st.sampled_from(["user", "assistant"]),
        text=TEXTS, sent_at=MOMENTS, speaker=st.none() | TEXTS, user=st.just(shared),
    )  # fmt: skip
    turns = [
        each.model_copy(update={"id": f"{name}/{each.id}", "thread": name})
        for name in threads
        for each in draw(_numbered(turn))
    ]
    questions = []
    for number, (name, split) in enumerate(threads.items()):
        evidence = draw(
            st.lists(st.sampled_from([t for t in turns if t.thread == name]), min_size=1)
        )
        latest = max(each.sent_at for each in evidence)
        questions.append(
            Question(
                id=f"q{number}",
                thread=name,
                split=split,
                category=draw(NAMES),
                text=draw(TEXTS),
                evidence=tuple(each.id for each in evidence),
                answer=draw(TEXTS),
                asked_at=draw(st.none() | st.integers(latest + 1, 2**46)),
            )
        )
    return "conversations", {"messages": turns, "questions": questions}


@st.composite
def _call_parts(draw):
    said = st.fixed_dictionaries({"role": st.just("user"), "content": TEXTS})
    case = st.builds(
        CallCase, id=st.just(""), split=st.just("tune"), category=NAMES,
        question=st.lists(st.lists(said, max_size=2).map(tuple), max_size=2).map(tuple),
        functions=st.just(({"name": "f", "parameters": {"type": "dict"}},)),
        truth=st.lists(st.just({"f": {"n": [4, None, "x"]}}), max_size=2).map(tuple),
    )  # fmt: skip
    return "calls", {"calls": draw(_numbered(case))}


@given(st.one_of(_tool_parts(), _conversation_parts(), _call_parts()), st.sampled_from(FORMATS))
def test_a_set_that_is_exported_and_imported_again_is_the_same(made, form):
    name, parts = made
    kind = KINDS[name]
    with TemporaryDirectory() as place:
        folder = Path(place) / "original"
        folder.mkdir()
        for part, records in parts.items():
            write_rows(folder / f"{part}.jsonl", kind.parts[part], records)
        (original,) = export_set("original", Path(place) / "out", form, Path(place))
        files = {part: Path(place) / "out" / f"{part}.{form}" for part in parts}
        done = import_set(kind, files, Path(place) / "again", Columns())
    for field in type(original).model_fields:
        if field != "info":
            assert getattr(done.data, field) == getattr(original, field)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", ["calls", "conversations", "pipeline", "tools"])
def test_the_projects_own_sets_survive_the_round(name, form, tmp_path):
    (original,) = export_set(name, tmp_path / "out", form)
    kind = kind_of(original)
    files = {part: tmp_path / "out" / f"{part}.{form}" for part in kind.parts}
    done = import_set(kind, files, tmp_path / "again", Columns())
    assert kind.parts_of(done.data) == kind.parts_of(original)
    assert "**Licence.** MIT" in (tmp_path / "out" / "DATASHEET.md").read_text()


def test_an_export_as_jsonl_is_a_set_itself(tmp_path):
    export_set("tools", tmp_path / "mine", "jsonl")
    assert load_tools("all", name="mine", data_dir=tmp_path).queries == load_tools("all").queries


@pytest.fixture
def run(tmp_path):
    from typer.testing import CliRunner

    return lambda *arguments: CliRunner().invoke(app, [str(each) for each in arguments])


@pytest.fixture
def spreadsheet(tmp_path):
    """A catalogue and requests as somebody may have them, with columns of their own."""
    (tmp_path / "tools.csv").write_text(
        "Name,About,Owner\nkite,Flies kites.,me\nsoup,Cooks soup.,me\n", "utf-8"
    )
    (tmp_path / "asked.csv").write_text(
        '\ufeffQuery,Tool\n"Fly it, high",kite\nDinner outside?,kite;soup\nThanks!,\n', "utf-8"
    )
    return tmp_path


def _import(spreadsheet, *more):
    return (
        *("import", "mine", "--data-dir", spreadsheet / "data"),
        *("--catalogue", spreadsheet / "tools.csv", "--queries", spreadsheet / "asked.csv"),
        *("--column", "name=Name", "--column", "description=About"),
        *("--column", "queries.text=Query", "--column", "tools=Tool", "--separator", ";"),
        *more,
    )


def test_columns_are_mapped_lists_split_and_rows_numbered(run, spreadsheet):
    result = run(*_import(spreadsheet, "--test-share", 1, "--licence", "CC0"))
    assert result.exit_code == 0, result.output
    data = load_tools("test", name="mine", data_dir=spreadsheet / "data")
    assert [(q.id, q.text, q.tools) for q in data.queries] == [
        ("1", "Fly it, high", ("kite",)),
        ("2", "Dinner outside?", ("kite", "soup")),
        ("3", "Thanks!", ()),
    ]
    assert data.tools[0].parameters == {"type": "object", "properties": {}}
    assert "2 catalogue, 3 queries" in result.output
    assert "by hash, 1 test" in result.output
    assert "columns of catalogue that were not read: Owner" in result.output
    sheet = (spreadsheet / "data" / "mine" / "DATASHEET.md").read_text()
    assert "**Licence.** CC0." in sheet
    assert "asked.csv" in sheet


def test_an_import_that_stands_there_is_replaced_only_when_told(run, spreadsheet):
    assert run(*_import(spreadsheet)).exit_code == 0
    again = run(*_import(spreadsheet))
    assert isinstance(again.exception, DatasetError)
    assert "--force" in str(again.exception)
    assert run(*_import(spreadsheet, "--force")).exit_code == 0


def test_a_folder_of_other_things_is_never_replaced(run, spreadsheet):
    (spreadsheet / "data" / "mine").mkdir(parents=True)
    (spreadsheet / "data" / "mine" / "thesis.txt").write_text("years of work")
    result = run(*_import(spreadsheet, "--force"))
    assert "'thesis.txt', which is of no set" in str(result.exception)
    assert (spreadsheet / "data" / "mine" / "thesis.txt").is_file()


@pytest.mark.parametrize("name", ["../up", ".hidden", "a/b", "locomo"])
def test_a_set_has_a_plain_name_that_no_public_one_has(run, spreadsheet, name):
    arguments = list(_import(spreadsheet))
    arguments[1] = name
    assert isinstance(run(*arguments).exception, DatasetError)
    assert not (spreadsheet / "data").exists()


def _wrong(run, spreadsheet, *more):
    result = run(*_import(spreadsheet, *more))
    assert result.exit_code != 0
    assert not (spreadsheet / "data" / "mine").exists()
    assert not [path for path in (spreadsheet / "data").glob("*")]
    message = str(result.exception)
    assert "\n" not in message
    return message


def test_a_missing_column_names_those_there_are_and_the_remedy(run, spreadsheet):
    message = _wrong(run, spreadsheet, "--column", "queries.text=Request")
    assert "column 'Request' is missing; it has Query, Tool: say which one is 'text'" in message


def test_an_unknown_tool_is_named_with_its_row_and_nothing_is_written(run, spreadsheet):
    with (spreadsheet / "asked.csv").open("a") as file:
        file.write("Go,boat\n")
    message = _wrong(run, spreadsheet)
    assert message.startswith("queries.jsonl: query '4': tool 'boat' is not in catalogue")


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ('"[""kite"",]"', "row 4: column 'Tool' (field 'tools'): '[\"kite\",]': is no list"),
        ("kite,dev", "row 4: column 'split' (field 'split'): 'dev'"),
    ],
)
def test_a_wrong_cell_is_named_by_file_row_column_and_value(run, spreadsheet, cell, said):
    lines = (spreadsheet / "asked.csv").read_text("utf-8").splitlines()
    if cell.endswith("dev"):
        lines = [f"{line},{'split' if n == 0 else 'tune'}" for n, line in enumerate(lines)]
    (spreadsheet / "asked.csv").write_text("\n".join([*lines, f"Go,{cell}"]), "utf-8")
    message = _wrong(run, spreadsheet)
    assert str(spreadsheet / "asked.csv") in message
    assert said in message


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("text", "'text' is not FIELD=COLUMN"),
        ("colour=Query", "there is no field 'colour'"),
    ],
)
def test_a_wrong_mapping_is_told(run, spreadsheet, option, said):
    assert said in _wrong(run, spreadsheet, "--column", option)


def test_files_that_make_no_set_name_those_that_do(run, spreadsheet):
    result = run("import", "x", "--data-dir", spreadsheet, "--queries", spreadsheet / "asked.csv")
    assert "--queries makes no set" in str(result.exception)
    assert "tools: --catalogue and --queries" in str(result.exception)


def test_the_same_words_on_both_sides_are_refused(run, spreadsheet):
    (spreadsheet / "asked.csv").write_text(
        "Query,Tool,split\nFly it!,kite,tune\nfly it,kite,test\n", "utf-8"
    )
    assert "what is tuned on must not be reported on" in _wrong(run, spreadsheet)


def test_what_cannot_be_read_is_one_line(run, spreadsheet):
    (spreadsheet / "asked.parquet").write_bytes(b"no parquet")
    (spreadsheet / "asked.txt").write_text("a")
    for name, said in (
        ("asked.parquet", "can't be read as parquet"),
        ("asked.txt", "files .txt are not read; jsonl, csv, parquet"),
        ("gone.csv", "there is no such file"),
    ):
        assert said in _wrong(run, spreadsheet, "--queries", spreadsheet / name)


def test_conversations_take_dates_and_native_lists_and_split_by_thread(tmp_path):
    pl.DataFrame(
        {
            "id": ["a", "b", "c"],
            "thread": ["t", "t", "u"],
            "role": ["user", "assistant", "user"],
            "text": ["The kiln is hot.", "Good.", "Hello"],
            "when": ["2026-05-03T14:30:00+02:00", "2026-05-03 12:31", "2026-05-04"],
        }
    ).with_columns(pl.col("when")).write_parquet(tmp_path / "m.parquet")
    questions = [
        {"thread": thread, "text": "?", "evidence": evidence, "answer": 1, "category": "any"}
        for thread, evidence in (("t", ["a"]), ("t", ["b", "a"]), ("u", ["c"]))
    ]
    (tmp_path / "q.jsonl").write_text("\n".join(map(json.dumps, questions)))
    files = {"messages": tmp_path / "m.parquet", "questions": tmp_path / "q.jsonl"}
    kind = KINDS["conversations"]
    columns = Columns.parse(["sent_at=when"], kind.parts)
    import_set(kind, files, tmp_path / "mine", columns)
    data = load_conversations("all", name="mine", data_dir=tmp_path)
    times = [turn.sent_at for turns in data.threads.values() for turn in turns]
    assert times == [1777811400000, 1777811460000, 1777852800000]
    assert [question.evidence for question in data.questions] == [("a",), ("b", "a"), ("c",)]
    splits = [question.split for question in data.questions]
    assert splits[0] == splits[1]


def test_a_row_keeps_its_split_when_others_come(tmp_path):
    (tmp_path / "tools.jsonl").write_text('{"name": "kite", "description": "Flies."}\n')
    rows = [{"text": f"request {n}", "tools": ["kite"]} for n in range(40)]

    def splits(count):
        (tmp_path / "asked.jsonl").write_text("\n".join(map(json.dumps, rows[-count:])))
        files = {"catalogue": tmp_path / "tools.jsonl", "queries": tmp_path / "asked.jsonl"}
        done = import_set(KINDS["tools"], files, tmp_path / "mine", Columns(), force=True)
        return {query.text: query.split for query in done.data.queries}

    every, some = splits(40), splits(7)
    assert some.items() <= every.items()
    assert set(every.values()) == {"tune", "test"}


def test_the_list_has_every_set_with_its_counts_and_what_is_wrong(run, tmp_path):
    export_set("tools", tmp_path / "mine", "jsonl")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "calls.jsonl").write_text("{oops")
    file = tmp_path / "list.json"
    assert run("list", "--data-dir", tmp_path, "--json", file).exit_code == 0
    listed = {each["name"]: each for each in json.loads(file.read_text())}
    own = load_tools("all")
    assert listed["tools"]["sha256"] == own.info.sha256
    assert listed["mine"]["samples"] == listed["tools"]["samples"]
    assert sum(listed["tools"]["samples"].values()) == len(own.queries)
    assert listed["mine"]["licence"].startswith("MIT")
    assert "not JSON" in listed["broken"]["remedy"]
    assert "CC BY-NC 4.0" in listed["locomo"]["remedy"]
    assert listed["conversations"]["kind"] == "conversations"


def test_every_own_set_is_listed_whole():
    listed = [each for each in list_sets(None) if each.folder and each.folder.parent == OWN]
    assert {each.name for each in listed} == {"calls", "conversations", "pipeline", "tools"}
    for each in listed:
        assert each.remedy is None
        assert each.licence.startswith("MIT")
        assert set(each.samples) == {"tune", "test"}


def test_an_unknown_set_names_those_there_are():
    with pytest.raises(
        DatasetError, match=r"'nope' not found in .*there are: .*conversations, pipeline, tools"
    ):
        whole_sets("nope", None)
