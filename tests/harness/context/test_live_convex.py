"""What a worker keeps of Convex, over the real engine."""

import asyncio
import time
import uuid
from contextlib import asynccontextmanager

from harness.context.live_store import LiveStore
from harness.events import MessageSent, message_key
from harness.models import Usage
from harness.store import Store, Subscriber

LIMIT = 3
PATIENCE_S = 30


class CountingStore(Store):
    """Counts what is read for a context."""

    reads = 0

    async def history(self, thread_id, before_order, limit):
        self.reads += 1
        return await super().history(thread_id, before_order, limit)

    async def current_preferences(self, user_id):
        self.reads += 1
        return await super().current_preferences(user_id)


class Conversation:
    """A user's thread, and a worker that answers it."""

    def __init__(self, store, live, user_id, thread_id):
        self.store = store
        self.live = live
        self.user_id = user_id
        self.thread_id = thread_id

    async def exchange(self):
        """One message; answers how often Convex was asked for its context, which must be true."""
        key = message_key(self.user_id, self.thread_id, uuid.uuid4().hex)
        sent = MessageSent(
            message_key=key,
            thread_id=self.thread_id,
            user_id=self.user_id,
            text="and now?",
            model="simulated",
            sent_at=int(time.time() * 1000),
        )
        begun = await self.store.begin(sent, "run")
        before = self.store.reads
        history = await self.live.history(self.thread_id, begun.order, LIMIT)
        preferences = await self.live.preferences(self.user_id, begun.preferences_version)
        reads = self.store.reads - before
        read = await self.store.history(self.thread_id, begun.order, LIMIT)
        assert list(map(said, history)) == list(map(said, read))
        assert preferences == await self.store.preferences(self.user_id)
        await self.store.complete(key, f"answer to {key}", "m", Usage(), 1.0, [])
        return reads

    async def until_nothing_is_read(self):
        """Exchanges until both are told from what was pushed."""
        async with asyncio.timeout(PATIENCE_S):
            while await self.exchange():  # noqa: ASYNC110 - a push is no event of ours
                await asyncio.sleep(0.01)


def said(message):
    return (message.id, message.role, message.content, message.order, message.sent_at)


@asynccontextmanager
async def conversation(engine, user_id):
    async with (
        CountingStore(engine.url, engine.admin_key) as store,
        Subscriber(engine.url, admin_key=engine.admin_key) as subscriber,
    ):
        live = LiveStore(store, subscriber, max_followed=8)
        yield Conversation(store, live, user_id, await store.create_thread(user_id, "t"))
        await live.aclose()


async def test_a_conversation_comes_to_need_no_reads(convex, user_id):
    async with conversation(convex, user_id) as talk:
        await talk.store.set_preference(user_id, "tone", "warm")
        assert await talk.exchange() == 2
        await talk.until_nothing_is_read()


async def test_a_write_is_seen_by_the_next_message_whoever_made_it(convex, user_id, mint):
    async with conversation(convex, user_id) as talk:
        user = talk.store.as_user(mint(user_id))
        for n in range(6):
            await user.set_preference("tone", f"tone {n}")
            await talk.exchange()
            await talk.store.set_preference(user_id, "units", f"units {n}")
            await talk.exchange()
            await user.remove_preference("tone")
            await talk.exchange()


async def test_a_convex_that_comes_back_is_followed_again(own_convex, user_id):
    async with conversation(own_convex, user_id) as talk:
        await talk.until_nothing_is_read()
        own_convex.kill()
        await asyncio.to_thread(own_convex.start)
        await talk.store.set_preference(user_id, "tone", "warm")
        await talk.exchange()
        await talk.until_nothing_is_read()
