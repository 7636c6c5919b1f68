"""What every part of one run shares."""

import inngest

from harness.events import MessageSent, ThreadFree
from harness.jobs.steps import Steps
from harness.services import Services
from harness.store.results import Begun


class Run:
    """One execution of `process_message`.

    Args:
        ctx: the run, as Inngest hands it over.
        services: what it works with.
        sent: the message.
    """

    def __init__(self, ctx: inngest.Context, services: Services, sent: MessageSent) -> None:
        self.ctx = ctx
        self.services = services
        self.sent = sent
        self.key = sent.message_key
        self.steps = Steps(ctx, sent.message_key)

    async def begin(self) -> Begun:
        """Persist the message, once, and ask for its thread's turn."""
        return await self.services.store.begin(self.sent, self.ctx.run_id)

    async def free_thread(self, next_key: str | None) -> None:
        """Tell the next message of the thread, if there is one, that it is its turn."""
        if next_key is None or next_key == self.key:
            return
        await self.ctx.step.send_event(
            "free-thread", thread_free(self.sent.thread_id, self.key, next_key)
        )


def thread_free(thread_id: str, from_key: str, next_key: str) -> inngest.Event:
    """The event that passes a thread's turn on; sent twice it counts once."""
    event = ThreadFree(thread_id=thread_id, message_key=next_key)
    return event.to_inngest(f"{from_key}-frees-{next_key}")
