"""No stale answer, whatever becomes of the pushes."""

import asyncio
from itertools import count

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, multiple, rule

from harness.context.live_store import LiveStore
from harness.models import Message
from harness.store import CurrentPreferences, Preference, StoreError
from harness.telemetry.metrics import CACHE_LOOKUPS

THREAD, OTHER_THREAD, USER = "kitchen", "garden", "ann"


class World:
    """Convex as far as a context needs it; pushes wait until the test delivers or loses them."""

    def __init__(self):
        self.messages = {THREAD: [], OTHER_THREAD: []}
        self.states = {USER: [(0, {})]}
        self.watches = []
        self.reads = []
        self._clock = count(1)

    # What writers do.

    def send(self, thread):
        order = len(self.messages[thread])
        self.messages[thread] += [
            message(thread, order, "completed", f"question {order}"),
            message(thread, order + 1, "processing", ""),
        ]
        self._changed("head", thread)

    def finish(self, thread, status, content):
        [open_one, *_] = self.unfinished(thread)
        self.messages[thread][open_one.order] = message(thread, open_one.order, status, content)
        self._changed("head", thread)

    def set(self, user, key, value):
        _, current = self.states[user][-1]
        self.states[user].append((next(self._clock), {**current, key: value}))
        self._changed("preferences", user)

    def forget(self, user):
        self.states[user].append((0, {}))
        self._changed("preferences", user)

    # What a worker asks.

    def unfinished(self, thread):
        return [m for m in self.messages[thread] if not m.status.finished]

    def finished(self, thread, before, limit):
        done = [m for m in self.messages[thread] if m.order < before and m.status.finished]
        return done[-limit:]

    async def history(self, thread_id, before_order, limit):
        self.reads.append("head")
        return self.finished(thread_id, before_order, limit)

    async def current_preferences(self, user_id):
        self.reads.append("preferences")
        return self._preferences(user_id)

    # What it follows.

    def watch_head(self, thread_id, limit):
        return self._watch("head", thread_id, lambda: self.finished(thread_id, 2**53, limit))

    def watch_preferences(self, user_id):
        return self._watch("preferences", user_id, lambda: self._preferences(user_id))

    def _preferences(self, user):
        version, values = self.states[user][-1]
        rows = [Preference(key=key, value=value) for key, value in values.items()]
        return CurrentPreferences(version=version, preferences=rows)

    async def _watch(self, kind, subject, look):
        watch = Watch(kind, subject, look)
        self.watches.append(watch)
        try:
            while True:
                answer = await watch.delivered.get()
                if isinstance(answer, StoreError):
                    raise answer
                yield answer
        finally:
            self.watches.remove(watch)

    def _changed(self, kind, subject):
        for watch in self.watches:
            if (watch.kind, watch.subject) == (kind, subject):
                watch.pending.append(watch.look())


class Watch:
    def __init__(self, kind, subject, look):
        self.kind = kind
        self.subject = subject
        self.look = look
        self.pending = [look()]
        self.delivered = asyncio.Queue()

    def deliver(self):
        """The newest answer arrives; a reader that was slow never sees the others."""
        if self.pending:
            self.delivered.put_nowait(self.pending[-1])
            self.pending.clear()


def message(thread, order, status, content):
    return Message(
        id=f"{thread}-{order}",
        thread_id=thread,
        role="assistant" if order % 2 else "user",
        content=content,
        sent_at=order,
        order=order,
        status=status,
    )


async def settle():
    """Lets every follower take what was delivered."""
    for _ in range(5):
        await asyncio.sleep(0)


class Workers(RuleBasedStateMachine):
    """Two workers answer messages while others write; pushes come late, in part or not at all."""

    turns = Bundle("turns")
    workers = st.integers(0, 1)

    @initialize()
    def start(self):
        self.loop = asyncio.new_event_loop()
        self.world = World()
        self.stores = [LiveStore(self.world, self.world, max_followed=2) for _ in range(2)]
        for store in self.stores:  # what is found begins with both following
            for _ in range(2):
                self.run(exchange(store, self.world))

    def run(self, work):
        async def then_settle():
            result = await work
            await settle()
            return result

        return self.loop.run_until_complete(then_settle())

    @rule(messages=st.integers(1, 2))
    def send(self, messages):
        for _ in range(messages):
            self.world.send(THREAD)

    @rule(status=st.sampled_from(["completed", "failed", "cancelled"]))
    def finish(self, status):
        if self.world.unfinished(THREAD):
            self.world.finish(THREAD, status, f"{status} answer")

    @rule(key=st.sampled_from("ab"), value=st.sampled_from("xyz"))
    def set_preference(self, key, value):
        self.world.set(USER, key, value)

    @rule()
    def forget_user(self):
        self.world.forget(USER)

    @rule(target=turns)
    def begin(self):
        """The thread's turn, as `begin` grants it."""
        open_ones = self.world.unfinished(THREAD)
        return (open_ones[0].order, len(self.world.states[USER]) - 1) if open_ones else multiple()

    @rule(turn=turns, worker=workers, limit=st.sampled_from([1, 3]))
    def read_later(self, turn, worker, limit):
        """As of the turn or of any time since."""
        order, state = turn
        told = self.run(self.stores[worker].history(THREAD, order, limit))
        assert told == self.world.finished(THREAD, order, limit)
        states = self.world.states[USER]
        found = self.run(self.stores[worker].preferences(USER, states[state][0]))
        assert found in [values for _, values in states[state:]]

    @rule(worker=workers, of_question=st.booleans())
    def begin_and_read(self, worker, of_question):
        """Nothing was written since: what is told is of now."""
        version, values = self.world.states[USER][-1]
        assert self.run(self.stores[worker].preferences(USER, version)) == values
        for answer in self.world.unfinished(THREAD)[:1]:
            before = answer.order - of_question
            told = self.run(self.stores[worker].history(THREAD, before, 3))
            assert told == self.world.finished(THREAD, before, 3)

    @rule(worker=workers)
    def read_without_a_turn(self, worker):
        found = self.run(self.stores[worker].preferences(USER))
        assert found == self.world.states[USER][-1][1]

    @rule()
    def pushes_arrive(self):
        for watch in self.world.watches:
            watch.deliver()
        self.run(settle())

    @rule(data=st.data(), fate=st.sampled_from(["arrives", "is lost", "ends"]))
    def one_push(self, data, fate):
        if not self.world.watches:
            return
        watch = data.draw(st.sampled_from(self.world.watches))
        if fate == "arrives":
            watch.deliver()
        elif fate == "is lost":
            watch.pending.clear()
        else:
            watch.delivered.put_nowait(StoreError("NOT_FOUND", "it is gone"))
        self.run(settle())

    def teardown(self):
        if hasattr(self, "loop"):
            for store in self.stores:
                self.run(store.aclose())
            assert self.world.watches == []
            self.loop.close()


TestWorkers = Workers.TestCase
TestWorkers.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


@pytest.fixture
def world():
    return World()


@pytest.fixture
async def live(world):
    store = LiveStore(world, world, max_followed=2)
    yield store
    await store.aclose()


async def exchange(live, world, thread=THREAD):
    """One message, from its turn to its answer, with pushes that arrive; answers what was read."""
    world.send(thread)
    for watch in world.watches:
        watch.deliver()
    await settle()
    world.reads.clear()
    await live.history(thread, world.unfinished(thread)[0].order, 3)
    await live.preferences(USER, world.states[USER][-1][0])
    await settle()
    read = list(world.reads)
    world.finish(thread, "completed", "answer")
    return read


async def test_from_a_threads_third_message_on_nothing_is_read(live, world):
    assert [await exchange(live, world) for _ in range(5)] == [
        ["head", "preferences"],
        ["head"],
        [],
        [],
        [],
    ]


async def test_a_thread_with_one_message_is_not_followed(live, world):
    await exchange(live, world)
    assert world.watches == []


async def test_preferences_that_changed_once_are_followed(live, world):
    await exchange(live, world)
    world.set(USER, "tone", "warm")
    assert await exchange(live, world) == ["head", "preferences"]
    world.set(USER, "tone", "cold")
    assert await exchange(live, world) == []


async def test_a_head_without_its_latest_push_is_read(live, world):
    for _ in range(3):
        await exchange(live, world)
    world.send(THREAD)  # and no push comes
    world.reads.clear()
    told = await live.history(THREAD, 7, 3)
    assert [m.content for m in told] == ["question 4", "answer", "question 6"]
    assert world.reads == ["head"]


async def test_a_head_with_a_gap_is_read(live, world):
    for _ in range(2):
        await exchange(live, world)
    for _ in range(2):
        world.send(THREAD)
    for watch in world.watches:  # the second question of the two is there before the first answer
        watch.deliver()
    await settle()
    world.finish(THREAD, "completed", "late answer")  # and no push comes
    told = await live.history(THREAD, 7, 3)
    assert [m.content for m in told] == ["question 4", "late answer", "question 6"]


async def test_the_one_asked_for_longest_ago_makes_room(world):
    live = LiveStore(world, world, max_followed=1)
    for thread in (THREAD, THREAD, OTHER_THREAD, OTHER_THREAD):
        await exchange(live, world, thread)
    followed = [watch.subject for watch in world.watches if watch.kind == "head"]
    assert followed == [OTHER_THREAD]
    await live.aclose()


async def test_one_nobody_asks_for_is_let_go(world):
    live = LiveStore(world, world, max_followed=2, idle_s=0.02)
    await exchange(live, world)
    await exchange(live, world)
    while world.watches:  # noqa: ASYNC110 - its end is no event of ours
        await asyncio.sleep(0.01)
    await live.aclose()


async def test_nothing_is_followed_where_that_is_switched_off(world):
    live = LiveStore(world, world, max_followed=0)
    read = [await exchange(live, world) for _ in range(4)]
    assert read == [["head", "preferences"], ["head"], ["head"], ["head"]]
    assert world.watches == []


async def test_closing_ends_every_watch(live, world):
    for _ in range(3):
        await exchange(live, world)
    assert world.watches
    await live.aclose()
    assert world.watches == []


async def test_lookups_are_counted(live, world):
    def counts():
        return [
            CACHE_LOOKUPS.labels(cache, outcome)._value.get()
            for cache in ("heads", "preferences")
            for outcome in ("hit", "miss")
        ]

    before = counts()
    for _ in range(4):
        await exchange(live, world)
    assert [now - was for now, was in zip(counts(), before, strict=True)] == [2, 2, 3, 1]
