import json
import time
import uuid

import pytest
from typer.testing import CliRunner

from evals.datasets import threads
from evals.datasets.columns import Columns
from evals.datasets.command import app
from evals.datasets.from_threads import WEEK_MS, make_set, write_set
from evals.datasets.importer import import_set
from evals.datasets.kinds import KINDS
from evals.datasets.loader import load_conversations, load_tools
from evals.datasets.records import CatalogueTool, DatasetError
from evals.datasets.threads import Readable, read_threads
from harness.errors import HarnessError
from harness.events import MessageSent, message_key
from harness.models import Effect, Selection, ShownMemory, Usage
from harness.settings import SIMULATED_MODEL
from harness.store import ImportedMessage, PlannedCall
from harness.telemetry.analytics import MEMORY_FEEDBACK

NOW = 1_790_000_000_000
NAME = "Ada Quintessa"
CATALOGUE = [
    CatalogueTool(name="calculate", description="Work out a sum."),
    CatalogueTool(name="search_web", description="Look something up."),
]


async def _exchange(
    store, user_id, thread_id, text, answer, sent_at, *, shown=(), calls=(), **more
):
    """One message, answered as the pipeline answers."""
    key = message_key(user_id, thread_id, uuid.uuid4().hex)
    sent = MessageSent(
        message_key=key, thread_id=thread_id, user_id=user_id, text=text, model=SIMULATED_MODEL,
        sent_at=sent_at,
    )  # fmt: skip
    await store.begin(sent, "run")
    await store.start_attempt(key, 0, SIMULATED_MODEL)
    planned = [
        PlannedCall(
            call_id=f"{key}:{index}", index=index, name=tool, arguments="{}", effect=Effect.READ,
            idempotent=True,
        )
        for index, (tool, _) in enumerate(calls)
    ]  # fmt: skip
    await store.record_calls(key, 0, planned)
    for index, (_, ended) in enumerate(calls):
        await store.start_call(f"{key}:{index}")
        await store.finish_call(f"{key}:{index}", ended)
    memories = [ShownMemory(source="message", score=1, text=text, id=id_) for id_, text in shown]
    await store.complete(key, answer, SIMULATED_MODEL, Usage(), 1.0, memories, **more)
    return key


@pytest.fixture
async def lived(store, user_id, monkeypatch):
    """A user with a thread from elsewhere and one in which they asked and said what had helped."""
    monkeypatch.setattr(threads, "PAGE", 3)
    await store.ensure_user(user_id, NAME)
    past = await store.create_thread(user_id, "past")
    said = ["Mail ada@example.org the plan", "The kiln stands at the north wall", "", "Thanks!"]
    imported = await store.import_messages(
        past,
        [
            ImportedMessage(role="user", speaker=NAME, content=text, sent_at=NOW + n)
            for n, text in enumerate(said)
        ],
    )
    plan, kiln, _, thanks = (id_ for id_, _ in imported)
    thread = await store.create_thread(user_id, "now")
    helped = await _exchange(
        store, user_id, thread, "Where is the kiln, ada@example.org asks",
        "North, Ada.", NOW + 5000,
        shown=[(kiln, said[1]), (plan, said[0])],
    )  # fmt: skip
    for helpful in (thanks, f"{kiln},document-7"):
        await store.record_analytics(
            MEMORY_FEEDBACK, int(time.time() * 1000), user_id=user_id, message_key=helped,
            props={"helpful": helpful},
        )  # fmt: skip
    calls = [("calculate", "succeeded"), ("search_web", "failed"), ("unknown_tool", "succeeded")]
    await _exchange(store, user_id, thread, "6 times 7?", "42", NOW + 6000, calls=calls)
    await _exchange(
        store, user_id, thread, "Whose plan?", "Yours", NOW + 7000, shown=[(plan, said[0])],
        selection=Selection(needed=False),
    )  # fmt: skip
    return thread


@pytest.fixture
async def read(store, user_id, lived):
    return await read_threads(store, user_id=user_id)


async def test_every_finished_message_is_read_in_order_over_pages(read):
    by_length = sorted(read.threads, key=lambda each: len(each.messages))
    assert [len(each.messages) for each in by_length] == [3, 6]
    assert [m.order for m in by_length[1].messages] == list(range(6))
    assert NAME in read.names


async def test_one_thread_can_be_chosen(store, user_id, lived):
    found = await read_threads(store, user_id=user_id, thread_id=lived)
    assert [each.id for each in found.threads] == [lived]


async def test_what_people_did_are_the_labels_and_the_rest_is_to_be_done(read):
    made = make_set(read, CATALOGUE)
    (question,) = made.parts["questions"]
    texts = {turn.id: turn.text for turn in made.parts["messages"]}
    assert [texts[id_] for id_ in question.evidence] == ["The kiln stands at the north wall"]
    assert question.text == "Where is the kiln, [email-1] asks"
    assert question.answer == "North, [name-1]."
    (query,) = made.parts["queries"]
    assert (query.text, query.tools) == ("6 times 7?", ("calculate",))
    (todo,) = made.todo["questions"]
    assert (todo["text"], todo["evidence"]) == ("Whose plan?", [])
    assert [each["text"] for each in todo["suggested"]] == ["Mail [email-1] the plan"]
    assert {each["text"] for each in made.todo["queries"]} == {"Whose plan?", question.text}


async def test_nothing_of_the_user_is_in_what_is_written(read, user_id, lived, tmp_path):
    write_set(make_set(read, CATALOGUE), tmp_path / "real")
    written = "".join(path.read_text("utf-8") for path in (tmp_path / "real").iterdir())
    real = [user_id, lived, "ada@example.org", "Ada", "Quintessa"]
    real += [m.id for thread in read.threads for m in thread.messages]
    real += [m.message_key for thread in read.threads for m in thread.messages if m.message_key]
    assert [each for each in real if each in written] == []
    assert "**Unreviewed.**" in (tmp_path / "real" / "DATASHEET.md").read_text()
    assert "× email (1 different)" in written


async def test_what_is_written_is_a_set_for_both_evals(read, tmp_path):
    write_set(make_set(read, CATALOGUE), tmp_path / "real")
    data = load_conversations("all", name="real", data_dir=tmp_path)
    assert len(data.threads) == 2
    assert len({data.user_of(thread) for thread in data.threads}) == 1
    assert len(load_tools("all", name="real", data_dir=tmp_path).queries) == 1


async def test_what_was_labelled_by_hand_is_imported(read, tmp_path):
    write_set(make_set(read, CATALOGUE), tmp_path / "real")
    todo = tmp_path / "real" / "questions.todo.jsonl"
    row = json.loads(todo.read_text("utf-8"))
    todo.write_text(json.dumps(row | {"evidence": [row["suggested"][0]["id"]]}), "utf-8")
    files = {"messages": tmp_path / "real" / "messages.jsonl", "questions": todo}
    done = import_set(KINDS["conversations"], files, tmp_path / "labelled", Columns())
    assert [question.text for question in done.data.questions] == ["Whose plan?"]
    assert done.ignored == {"questions": ["suggested"]}


async def test_times_move_together_by_whole_weeks_unless_kept(read):
    real = sorted(m.sent_at for thread in read.threads for m in thread.messages)
    moved = make_set(read, CATALOGUE)
    times = sorted(turn.sent_at for turn in moved.parts["messages"])
    assert {(time - was) % WEEK_MS for time, was in zip(times, real, strict=True)} == {0}
    assert {time - was for time, was in zip(times, real, strict=True)} == {times[0] - real[0]}
    assert times != real
    assert moved.parts["questions"][0].asked_at - times[0] == NOW + 5000 - real[0]
    kept = make_set(read, CATALOGUE, keep=["times", "email"])
    assert sorted(turn.sent_at for turn in kept.parts["messages"]) == real
    assert "ada@example.org" in kept.parts["questions"][0].text


async def test_two_exports_share_no_id(read):
    one, other = (
        {turn.id for turn in make_set(read, CATALOGUE).parts["messages"]} for _ in range(2)
    )
    assert not one & other


def test_threads_without_a_message_make_no_set():
    with pytest.raises(DatasetError, match="no message"):
        make_set(Readable(), CATALOGUE)


@pytest.fixture
def run(convex, tmp_path, monkeypatch):
    monkeypatch.setenv("CONVEX_URL", convex.url)
    monkeypatch.setenv("CONVEX_DEPLOY_KEY", convex.admin_key)
    monkeypatch.setenv("HARNESS_HOME", str(tmp_path / "home"))
    given = ("from-threads", "real", "--data-dir", str(tmp_path / "data"))
    return lambda *more: CliRunner().invoke(app, [*given, *more])


def test_the_command_says_what_it_wrote_and_replaced(run, lived, user_id):
    result = run("--user", user_id)
    assert result.exit_code == 0, result.output
    assert "9 messages, 1 questions" in result.output
    assert "× email, 1 different" in result.output
    assert isinstance(run("--user", user_id).exception, DatasetError)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--user", "nobody"), "no thread found for --user nobody"),
        (("--keep", "hats"), "--keep 'hats' is unknown; use key"),
        (("--region", "XX"), "'XX' is no country"),
    ],
)
def test_what_can_not_be_is_one_line(run, more, said):
    result = run(*more)
    assert isinstance(result.exception, HarnessError)
    assert said in str(result.exception)
