"""The terminal's side of a chat: lines in, streamed answers out."""

import asyncio
import os
import signal
import sys
import threading
from contextlib import aclosing
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.text import Text

from harness.client import ChatClient, RequestRefused
from harness.models import Status, ToolCall, ToolCallStatus
from harness.store import StreamState

_RESULT_CHARACTERS = 300
_ENDED = {ToolCallStatus.SUCCEEDED, ToolCallStatus.FAILED, ToolCallStatus.DENIED,
          ToolCallStatus.EXPIRED, ToolCallStatus.UNKNOWN, ToolCallStatus.CANCELLED}  # fmt: skip


class Lines:
    """Lines of standard input for an event loop, and its Ctrl-C.

    A thread reads them, because a terminal can't be waited for otherwise everywhere; it is a
    daemon, because a read can't be interrupted.
    """

    def __init__(self) -> None:
        self._queue: asyncio.Queue[str | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._interrupted = asyncio.Event()
        self._wanted = threading.Semaphore(0)
        self._at_end = False

    def __enter__(self) -> Self:
        self._loop.add_signal_handler(signal.SIGINT, self._interrupted.set)
        threading.Thread(target=self._read, name="stdin", daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.remove_signal_handler(signal.SIGINT)

    async def next(self) -> str | None:
        """The next line without its end; None at the end of input or after Ctrl-C."""
        if self._at_end:
            return None
        self._interrupted.clear()
        self._wanted.release()
        reading = asyncio.ensure_future(self._queue.get())
        interrupt = asyncio.ensure_future(self._interrupted.wait())
        try:
            await asyncio.wait({reading, interrupt}, return_when=asyncio.FIRST_COMPLETED)
            line = reading.result() if reading.done() else None
            self._at_end = reading.done() and line is None
            return line
        finally:
            reading.cancel()
            interrupt.cancel()

    async def interrupted(self) -> None:
        """Wait for Ctrl-C."""
        self._interrupted.clear()
        await self._interrupted.wait()

    def _read(self) -> None:
        while True:
            self._wanted.acquire()
            # The descriptor itself: the interpreter's lock on sys.stdin would be held at its end.
            line = _read_line(sys.stdin.fileno())
            try:
                self._loop.call_soon_threadsafe(self._queue.put_nowait, line)
            except RuntimeError:  # the loop is closed
                return
            if line is None:
                return


def _read_line(descriptor: int) -> str | None:
    line = bytearray()
    while byte := os.read(descriptor, 1):
        if byte == b"\n":
            return line.decode(errors="replace").rstrip("\r")
        line += byte
    return line.decode(errors="replace") if line else None


class Conversation:
    """One thread in the terminal.

    Args:
        client: of the user who chats.
        console: where everything is shown.
        lines: what the user types.
        thread_id: the thread.
        model: which model answers; None for the default.
    """

    def __init__(
        self,
        client: ChatClient,
        console: Console,
        lines: Lines,
        thread_id: str,
        model: str | None,
    ) -> None:
        self._client = client
        self._console = console
        self._lines = lines
        self._thread_id = thread_id
        self._model = model
        self._shown = ""
        self._in_line = False
        self._told: dict[str, ToolCallStatus] = {}
        self._asked: set[str] = set()

    async def run(self) -> None:
        """Take messages until an empty line, the end of input or Ctrl-C."""
        while True:
            self._prompt("you> ")
            text = await self._lines.next()
            if text is None or not text.strip():
                self._console.print()
                return
            try:
                await self._exchange(text)
            except RequestRefused as refusal:
                self._say(f"not sent: {refusal}", "red")

    async def _exchange(self, text: str) -> None:
        ack = await self._client.send(self._thread_id, text, model=self._model)
        self._shown, self._in_line = "", False
        following = asyncio.create_task(self._follow(ack.message_key))
        side = [
            asyncio.create_task(self._show_calls(ack.message_key)),
            asyncio.create_task(self._cancel_on_interrupt(ack.message_key)),
        ]
        try:
            last = await following
        finally:
            for task in side:
                task.cancel()
            await asyncio.gather(*side, return_exceptions=True)
        await self._show_last_calls(ack.message_key)
        self._end(last)

    async def _follow(self, key: str) -> StreamState | None:
        last = None
        async with aclosing(self._client.follow(key)) as states:
            async for state in states:
                last = state
                self._show_text(state)
        return last

    def _show_text(self, state: StreamState) -> None:
        text = state.content if state.content is not None else state.text
        if not text.startswith(self._shown):
            self._say("(the answer was started again)", "dim")
            self._shown = ""
        fresh = text[len(self._shown) :]
        if not fresh:
            return
        if not self._in_line:
            self._console.print(Text(f"{state.model or 'answer'}> ", "bold cyan"), end="")
        self._console.print(Text(fresh), end="")
        self._shown, self._in_line = text, True

    async def _show_calls(self, key: str) -> None:
        async with aclosing(self._client.tool_calls(key)) as pushes:
            async for calls in pushes:
                for call in calls:
                    self._show_call(call)
                    if call.status is ToolCallStatus.WAITING and call.question:
                        await self._ask(key, call)

    async def _show_last_calls(self, key: str) -> None:
        """The stream and the calls are pushed apart, so the calls' ends may still be unseen."""
        async with aclosing(self._client.tool_calls(key)) as pushes:
            async for calls in pushes:
                for call in calls:
                    self._show_call(call)
                return

    def _show_call(self, call: ToolCall) -> None:
        before = self._told.get(call.call_id)
        if before is None:
            chosen = f", chosen by {call.chosen_by}" if call.chosen_by else ""
            self._say(f"· {call.name} {call.arguments} ({call.effect}{chosen})", "yellow")
        if call.status in _ENDED and before != call.status:
            outcome = call.error or call.result or ""
            self._say(f"· {call.name} {call.status}: {outcome[:_RESULT_CHARACTERS]}", "yellow")
        self._told[call.call_id] = call.status

    async def _ask(self, key: str, call: ToolCall) -> None:
        if call.call_id in self._asked or call.question is None:
            return
        self._asked.add(call.call_id)
        approval = call.question.kind == "approval"
        self._say(f"{call.question.prompt}{' [y/N]' if approval else ''}", "bold yellow")
        self._prompt("reply> ")
        line = await self._lines.next()
        if line is None:  # no one is there to answer, or they want out
            self._say("stopping: the question was not answered", "dim")
            await self._client.cancel(key)
            return
        try:
            if approval:
                yes = line.strip().lower() in ("y", "yes")
                await self._client.reply(key, call.call_id, approved=yes)
            else:
                await self._client.reply(key, call.call_id, text=line)
        except RequestRefused as refusal:
            self._say(f"reply not taken: {refusal}", "red")

    async def _cancel_on_interrupt(self, key: str) -> None:
        await self._lines.interrupted()
        self._say("stopping the answer", "dim")
        await self._client.cancel(key)

    def _end(self, last: StreamState | None) -> None:
        if last is not None and last.status is Status.FAILED and last.error:
            self._say(f"failed: {last.error.message}", "red")
        elif last is not None and last.status is Status.CANCELLED:
            self._say("stopped", "dim")
        elif self._in_line:
            self._console.print()
        self._in_line = False

    def _say(self, text: str, style: str) -> None:
        if self._in_line:
            self._console.print()
        self._in_line = False
        self._console.print(Text(text, style))

    def _prompt(self, text: str) -> None:
        if sys.stdin.isatty():
            self._console.print(Text(text, "bold green"), end="")
