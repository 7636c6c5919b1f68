import pytest

from harness.models import (
    ContextRecord,
    Effect,
    Failure,
    Selection,
    ShownMemory,
    Status,
    ThreadSummary,
    ToolScore,
    Usage,
)
from harness.store import ImportedMessage, PlannedCall, Store, StoreError


async def test_a_begun_message_holds_both_sides_in_order(store, user_id, sent):
    thread = await store.create_thread(user_id, "t")
    message = sent(thread, "how are you?")
    begun = await store.begin(message, "run-1")
    exchange = await store.read_message(message.message_key)
    assert (begun.state, begun.status) == ("go", Status.PROCESSING)
    assert exchange.user.content == "how are you?"
    assert exchange.assistant.id == begun.message_id
    assert exchange.assistant.order == exchange.user.order + 1 == begun.order


async def test_beginning_again_changes_nothing(store, user_id, sent):
    message = sent(await store.create_thread(user_id, "t"))
    first = await store.begin(message, "run-1")
    assert await store.begin(message, "run-1") == first


async def test_a_second_message_waits_for_the_first(store, user_id, sent):
    thread = await store.create_thread(user_id, "t")
    first, second = sent(thread), sent(thread)
    await store.begin(first, "run-1")
    waiting = await store.begin(second, "run-2")
    assert (waiting.state, waiting.next) == ("wait", first.message_key)
    assert [item.message_key for item in await store.unfinished(thread)] == [
        first.message_key,
        second.message_key,
    ]


async def test_a_completed_message_keeps_its_answer_and_passes_the_turn(store, user_id, sent):
    thread = await store.create_thread(user_id, "t")
    first, second = sent(thread), sent(thread)
    await store.begin(first, "run-1")
    await store.begin(second, "run-2")
    usage = Usage(prompt_tokens=5, completion_tokens=2)
    shown = [ShownMemory(source="m", score=0.5, text="x")]
    score = ToolScore(name="ring", score=0.75)
    selection = Selection(needed=True, candidates=[score], scores=[score], why="a bell")
    ended = await store.complete(
        first.message_key, "fine", "simulated", usage, 12.5, shown, selection=selection
    )
    answer = (await store.read_message(first.message_key)).assistant
    assert (ended.applied, ended.status, ended.next) == (True, "completed", second.message_key)
    assert (answer.content, answer.usage, answer.latency_ms) == ("fine", usage, 12.5)
    assert answer.shown == shown
    assert answer.selection == selection


async def test_a_completed_message_keeps_what_it_was_shown_and_its_budget(store, user_id, sent):
    message = sent(await store.create_thread(user_id, "t"))
    await store.begin(message, "run-1")
    shown = [
        ShownMemory(source="message", score=0.5, text="x", id="m", thread_id="t", order=3,
                    why={"dense": 0.25, "lexical": 0.25}),
        ShownMemory(source="document", score=0.25, text="y", id="d", title="Goats", why={}),
    ]  # fmt: skip
    context = ContextRecord(tokens={"system": 60}, left_out={"history": 2}, budget=7680)
    await store.complete(message.message_key, "fine", "simulated", Usage(), 1.0, shown, context)
    answer = (await store.read_message(message.message_key)).assistant
    assert (answer.shown, answer.context) == (shown, context)


async def test_a_summary_covers_what_is_not_recent_and_is_kept_once(store, user_id):
    thread = await store.create_thread(user_id, "t")
    lines = [ImportedMessage(role="user", content=f"line {i}", sent_at=i) for i in range(6)]
    await store.import_messages(thread, lines)
    assert await store.summary(thread) is None
    found = await store.uncovered(thread, 2**31, recent=2)
    assert (found.summary, [item.order for item in found.messages]) == (None, [0, 1, 2, 3])
    summary = ThreadSummary(text="Four lines.", through_order=3, model="simulated")
    assert await store.keep_summary(thread, None, summary)
    assert not await store.keep_summary(thread, None, summary)
    assert await store.summary(thread) == summary
    assert (await store.uncovered(thread, 2**31, recent=1)).messages[0].order == 4


async def test_only_the_first_end_applies(store, user_id, sent):
    message = sent(await store.create_thread(user_id, "t"))
    await store.begin(message, "run-1")
    await store.complete(message.message_key, "fine", "simulated", Usage(), 1.0, [])
    ended = await store.fail(message.message_key, Failure(code="late", message="too late"))
    assert (ended.applied, ended.status) == (False, "completed")


async def test_a_run_that_failed_before_it_began_leaves_both_messages(store, user_id, sent):
    message = sent(await store.create_thread(user_id, "t"), "lost?")
    failure = Failure(code="boom", message="it broke")
    ended = await store.fail(message.message_key, failure, message, "run-1")
    exchange = await store.read_message(message.message_key)
    assert (ended.applied, ended.status) == (True, "failed")
    assert exchange.user.content == "lost?"
    assert exchange.assistant.error == failure


async def test_appends_number_the_deltas_and_repeat_harmlessly(store, user_id, sent):
    message = sent(await store.create_thread(user_id, "t"))
    await store.begin(message, "run-1")
    attempt = await store.start_attempt(message.message_key, 0, "simulated")
    first = await store.append(message.message_key, attempt.attempt, attempt.seq, ["a", "b"])
    again = await store.append(message.message_key, attempt.attempt, attempt.seq, ["a", "b"])
    assert (attempt.seq, first.next_seq, again.next_seq) == (0, 2, 2)
    assert first.stop is None


async def test_an_older_attempt_is_fenced_off(store, user_id, sent):
    message = sent(await store.create_thread(user_id, "t"))
    await store.begin(message, "run-1")
    old = await store.start_attempt(message.message_key, 0, "simulated")
    await store.start_attempt(message.message_key, 0, "simulated")
    answer = await store.append(message.message_key, old.attempt, old.seq, ["zombie"])
    assert answer.stop == "fenced"


async def test_a_gap_in_the_deltas_is_a_conflict(store, user_id, sent):
    message = sent(await store.create_thread(user_id, "t"))
    await store.begin(message, "run-1")
    attempt = await store.start_attempt(message.message_key, 0, "simulated")
    with pytest.raises(StoreError) as refused:
        await store.append(message.message_key, attempt.attempt, attempt.seq + 1, ["late"])
    assert refused.value.code == "CONFLICT"


async def test_a_cancel_before_the_run_stops_it_at_begin(store, user_id, sent):
    message = sent(await store.create_thread(user_id, "t"))
    kept = await store.cancel(message.message_key, user_id)
    begun = await store.begin(message, "run-1")
    assert kept.state == "kept"
    assert (begun.state, begun.status) == ("stop", "cancelled")


async def test_a_cancel_in_the_middle_keeps_the_text_and_stops_the_writer(store, user_id, sent):
    message = sent(await store.create_thread(user_id, "t"))
    await store.begin(message, "run-1")
    attempt = await store.start_attempt(message.message_key, 0, "simulated")
    await store.append(message.message_key, attempt.attempt, attempt.seq, ["so ", "far"])
    cancelled = await store.cancel(message.message_key, user_id)
    late = await store.append(message.message_key, attempt.attempt, 2, ["!"])
    answer = (await store.read_message(message.message_key)).assistant
    assert (cancelled.state, late.stop) == ("cancelled", "cancelled")
    assert (answer.content, answer.status) == ("so far", "cancelled")


async def test_nobody_cancels_anothers_message(store, user_id, other_user_id, sent):
    message = sent(await store.create_thread(user_id, "t"))
    await store.begin(message, "run-1")
    with pytest.raises(StoreError) as refused:
        await store.cancel(message.message_key, other_user_id)
    assert refused.value.code == "NOT_FOUND"


async def test_a_call_runs_once_unless_it_may_be_repeated(store, user_id, sent):
    message = sent(await store.create_thread(user_id, "t"))
    await store.begin(message, "run-1")
    writes, reads = f"{message.message_key}-w", f"{message.message_key}-r"
    calls = [
        PlannedCall(call_id=writes, index=0, name="write_file", arguments="{}",
                    effect=Effect.WRITE, idempotent=False),
        PlannedCall(call_id=reads, index=1, name="view_file", arguments="{}",
                    effect=Effect.READ, idempotent=True),
    ]  # fmt: skip
    assert await store.record_calls(message.message_key, 0, calls) is None
    assert [(await store.start_call(writes)).state for _ in range(2)] == ["run", "unknown"]
    assert [(await store.start_call(reads)).state for _ in range(2)] == ["run", "run"]
    done = await store.finish_call(reads, "succeeded", result='{"ok": true}')
    assert (done.status, done.result) == ("succeeded", '{"ok": true}')
    assert (await store.start_call(reads)).state == "done"
    assert (await store.get_call(writes)).status == "unknown"


async def test_a_reply_before_anybody_waits_is_kept(store, user_id, sent):
    message = sent(await store.create_thread(user_id, "t"))
    await store.begin(message, "run-1")
    call_id = f"{message.message_key}-q"
    call = PlannedCall(call_id=call_id, index=0, name="ask_user", arguments="{}",
                       effect=Effect.READ, idempotent=True)  # fmt: skip
    await store.record_calls(message.message_key, 0, [call])
    assert await store.reply(message.message_key, call_id, user_id, text="blue") == "kept"
    asked = await store.await_user(call_id, "question", "Which colour?", 2**45)
    assert (asked.stop, asked.reply.text) == (None, "blue")
    assert await store.reply(message.message_key, call_id, user_id, text="red") == "already"
    assert (await store.resume(call_id)).reply.text == "blue"


async def test_imported_messages_keep_their_times_and_speakers(store, user_id):
    thread = await store.create_thread(user_id, "t")
    ids = await store.import_messages(
        thread,
        [
            ImportedMessage(role="user", speaker="Ann", content="hi", sent_at=1000),
            ImportedMessage(role="assistant", content="hello", sent_at=2000),
        ],
    )
    history = await store.history(thread, 2**31, 10)
    assert [order for _, order in ids] == [item.order for item in history] == [0, 1]
    assert [(item.speaker, item.sent_at) for item in history] == [("Ann", 1000), (None, 2000)]


async def test_a_thread_is_its_owners_alone(store, user_id, other_user_id):
    thread = await store.create_thread(user_id, "mine", "critical")
    found = await store.thread_access(thread, user_id)
    assert (found.id, found.title, found.kind) == (thread, "mine", "critical")
    assert await store.thread_access(thread, other_user_id) is None
    assert await store.thread_access("nonsense", user_id) is None


async def test_preferences_are_kept_by_key(store, user_id):
    await store.set_preference(user_id, "tone", "dry")
    await store.set_preference(user_id, "tone", "warm")
    assert await store.preferences(user_id) == {"tone": "warm"}


async def test_a_forgotten_preference_is_gone_and_may_be_forgotten_again(store, user_id):
    await store.set_preference(user_id, "tone", "dry")
    await store.set_preference(user_id, "diet", "vegan")
    await store.remove_preference(user_id, "tone")
    await store.remove_preference(user_id, "tone")
    assert await store.preferences(user_id) == {"diet": "vegan"}


async def test_a_flag_counts_its_versions(store):
    first = await store.set_flag("store-test", enabled=True, percentage=10, kinds=["standard"])
    second = await store.set_flag("store-test", enabled=False)
    flag = await store.get_flag("store-test")
    assert second == first + 1 == flag.version
    assert not flag.enabled
    assert "store-test" in [item.key for item in await store.list_flags()]


async def test_analytics_events_are_listed(store, user_id):
    event = f"test.{user_id}"
    await store.record_analytics(event, 5, user_id=user_id, props={"n": 1.0, "ok": True})
    page = await store.list_analytics(event)
    assert [(item.subject, item.at, item.props) for item in page.page] == [
        (user_id, 5, {"n": 1.0, "ok": True})
    ]


async def test_a_user_sees_only_their_own_things(store: Store, user_id, other_user_id, mint, sent):
    thread = await store.create_thread(user_id, "mine")
    message = sent(thread)
    await store.begin(message, "run-1")
    owner, stranger = store.as_user(mint(user_id)), store.as_user(mint(other_user_id))
    assert [item.id for item in (await owner.list_threads()).page] == [thread]
    assert (await stranger.list_threads()).page == []
    assert (await owner.read_message(message.message_key)).user.content == "hello"
    assert await stranger.read_message(message.message_key) is None
    assert await stranger.get_thread(thread) is None
    assert (await owner.stream(message.message_key)).status == "processing"
    assert await stranger.stream(message.message_key) is None


async def test_a_user_calls_no_internal_function(store: Store, convex, user_id, mint):
    async with Store(convex.url, None) as keyless:
        with pytest.raises(StoreError):
            await keyless.preferences(user_id)


async def test_text_that_is_no_unicode_is_refused_here(store, user_id):
    with pytest.raises(StoreError) as refused:
        await store.set_preference(user_id, "tone", "\ud800")
    assert refused.value.code == "INVALID"
