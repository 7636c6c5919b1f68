"""Sends a planned answer at its planned pace."""

import asyncio
import json
import time
from collections.abc import AsyncIterator

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from harness.local.simulated._faults import Fault, FaultKind
from harness.local.simulated._plan import Plan
from harness.local.simulated._request import ChatRequest

_BATCH = 16  # tokens that are due at once go out in one write


class CutHere(Exception):
    """The stream is to end in the middle."""


async def paced(plan: Plan, fault: Fault | None) -> AsyncIterator[range]:
    """Yield the indexes of the deltas that are due, as they fall due.

    Raises:
        CutHere: a cut is due.
    """
    breaks = fault if fault and fault.kind in (FaultKind.CUT, FaultKind.STALL) else None
    began = time.monotonic()
    sent, count = 0, len(plan.deltas)
    while sent < count or breaks:
        if breaks and sent >= min(breaks.after_tokens, count):
            if breaks.kind is FaultKind.CUT:
                raise CutHere
            await asyncio.sleep(breaks.stall_ms / 1000)
            began += breaks.stall_ms / 1000
            breaks = None
            continue
        elapsed = time.monotonic() - began
        if plan.due_s[sent] > elapsed:
            await asyncio.sleep(plan.due_s[sent] - elapsed)
            elapsed = time.monotonic() - began
        until = sent + 1
        limit = min(count, sent + _BATCH, breaks.after_tokens if breaks else count)
        while until < limit and plan.due_s[until] <= elapsed:
            until += 1
        yield range(sent, until)
        sent = until


class EventStream(Response):
    """Server-sent events of one answer; stops when the client goes away.

    Its record's `outcome` becomes how it ended: completed, cut, or closed by the client.
    """

    media_type = "text/event-stream"

    def __init__(
        self, request: ChatRequest, plan: Plan, fault: Fault | None, record: dict[str, object]
    ) -> None:
        super().__init__(headers={"cache-control": "no-store"})
        del self.headers["content-length"]
        self._request = request
        self._plan = plan
        self._fault = fault
        self._record = record

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream and watch for the client's leaving at the same time."""
        sending = asyncio.create_task(self._send(send))
        leaving = asyncio.create_task(_disconnected(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
            self._record["outcome"] = sending.result() if sending.done() else "closed"
        finally:
            sending.cancel()
            leaving.cancel()

    async def _send(self, send: Send) -> str:
        await send(
            {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        )
        await self._write(send, self._event({"role": "assistant", "content": ""}))
        try:
            async for indexes in paced(self._plan, self._fault):
                events = b"".join(self._event(self._plan.deltas[at]) for at in indexes)
                await self._write(send, events)
        except CutHere:
            # Returning without the last body message makes the server drop the connection.
            return "cut"
        closing = self._event({}, self._plan.finish_reason)
        if self._request.wants_usage:
            closing += self._chunk(choices=[], usage=self._plan.usage)
        await self._write(send, closing + b"data: [DONE]\n\n", more=False)
        return "completed"

    async def _write(self, send: Send, body: bytes, *, more: bool = True) -> None:
        await send({"type": "http.response.body", "body": body, "more_body": more})

    def _event(self, delta: object, finish_reason: str | None = None) -> bytes:
        return self._chunk(choices=[{"index": 0, "delta": delta, "finish_reason": finish_reason}])

    def _chunk(self, **fields: object) -> bytes:
        head = {
            "id": self._plan.id,
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": self._request.model,
        }
        return b"data: " + json.dumps({**head, **fields}).encode() + b"\n\n"


class CutResponse(Response):
    """Announces a body and drops the connection in its middle."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send half of the body and return, which makes the server close the connection."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        half = bytes(self.body)[: len(self.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
