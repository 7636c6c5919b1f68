"""A tool with an effect runs at most once per call, whichever process dies around it."""

import ctypes
import os
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from harness.jobs.tool_calls import UNKNOWN
from harness.models import Status, ToolCallStatus

pytestmark = pytest.mark.asyncio(loop_scope="session")

PARTS = ["worker", "inngest", "convex"]  # who takes part in a call
STEPS = ["tool-0-0-ask", "tool-0-0-resume", "tool-0-0"]
PLACES = [f"{step}:{moment}" for step in STEPS for moment in ("before", "after")]
TEXT = "call the bank"

IN_MOVED_TO = 0x80  # inotify(7); a file tool moves what it wrote to its place
HEADER = struct.Struct("iIII")


class Moves:
    """Counts the files that were moved into a folder: the kernel misses none."""

    def __init__(self, folder: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._queue = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if (
            self._queue < 0
            or libc.inotify_add_watch(self._queue, os.fsencode(folder), IN_MOVED_TO) < 0
        ):
            raise OSError(ctypes.get_errno(), "inotify", str(folder))
        self._seen: Counter[str] = Counter()

    def of(self, name: str) -> int:
        try:
            events = os.read(self._queue, 64 * 1024)
        except BlockingIOError:
            events = b""
        while events:
            *_, length = HEADER.unpack_from(events)
            moved = events[HEADER.size : HEADER.size + length]
            self._seen[os.fsdecode(moved.rstrip(b"\0"))] += 1
            events = events[HEADER.size + length :]
        return self._seen[name]

    def close(self) -> None:
        os.close(self._queue)


@pytest.fixture
def writes(stack) -> Iterator[Callable[[str], int]]:
    """Answers how often a file of the workspace was written."""
    moves = Moves(stack.settings.workspace_dir)
    yield moves.of
    moves.close()


@pytest_asyncio.fixture(loop_scope="session")
async def asked(person):
    """Drafts a message that writes a file once its user approves."""
    thread = await person.thread()

    def draft(name: str, say: str = "[[say written]]"):
        call = f'[[call write_file {{"path": "{name}", "content": "{TEXT}"}}]]'
        return person.draft(thread, f"Write '{TEXT}' to {name}. {call} {say}".strip())

    return draft


async def approve(person, draft) -> None:
    call = await person.waits(draft)
    await person.client.reply(draft.key, call.call_id, approved=True)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("part", PARTS)
async def test_an_approved_call_outlives_a_kill_and_runs_once(
    whole, person, hold, asked, writes, part, place
):
    name = f"{person.id}.txt"
    draft = asked(name)
    held = hold(draft.key, place)
    await person.send(draft)
    if not place.startswith("tool-0-0-ask"):
        await approve(person, draft)
    await held.reached()
    await whole.kill(part)
    held.release()
    await whole.start(part)
    if place.startswith("tool-0-0-ask"):
        await approve(person, draft)
    await person.answered(draft, "written")
    [call] = await person.calls(draft)
    assert call.status is ToolCallStatus.SUCCEEDED
    assert writes(name) == 1


async def test_a_call_whose_process_died_after_its_effect_is_not_run_again(
    whole, person, hold, asked, writes
):
    name = f"{person.id}.txt"
    draft = asked(name, say="")
    held = hold(draft.key, "tool-0-0:ran")
    await person.send(draft)
    await approve(person, draft)
    await held.reached()
    await whole.kill("worker")
    held.release()
    await whole.start("worker")
    answer = await person.ended(draft)
    assert answer.status is Status.COMPLETED
    assert UNKNOWN in answer.content  # the simulated model repeats what its tools gave
    [call] = await person.calls(draft)
    assert call.status is ToolCallStatus.UNKNOWN
    assert writes(name) == 1


@pytest.mark.parametrize("part", ["inngest", "convex"])
async def test_a_call_outlives_a_service_that_died_after_its_effect(
    whole, person, hold, asked, writes, part
):
    name = f"{person.id}.txt"
    draft = asked(name)
    held = hold(draft.key, "tool-0-0:ran")
    await person.send(draft)
    await approve(person, draft)
    await held.reached()
    await whole.kill(part)
    held.release()
    await whole.start(part)
    await person.answered(draft, "written")
    [call] = await person.calls(draft)
    assert call.status is ToolCallStatus.SUCCEEDED
    assert writes(name) == 1


async def test_a_call_that_is_still_running_elsewhere_is_not_run_beside_it(
    whole, person, hold, asked, writes
):
    name = f"{person.id}.txt"
    draft = asked(name)
    held = hold(draft.key, "tool-0-0:ran")
    await person.send(draft)
    await approve(person, draft)
    await held.reached()
    await whole.kill("inngest")
    await whole.start("inngest")  # it runs the step again, while the first one stands in it
    answer = await person.ended(draft)
    assert answer.status is Status.COMPLETED
    held.release()
    [call] = await person.calls(draft)
    assert call.status is ToolCallStatus.UNKNOWN
    assert writes(name) == 1
