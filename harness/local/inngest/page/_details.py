"""The pages of one thing: a run with its timeline, an event with its runs."""

import sqlite3
from collections.abc import Callable
from typing import Any

import orjson

from harness.local.inngest._times import iso
from harness.local.inngest.inspection import find_event, find_run, skips, timeline
from harness.local.inngest.page._frame import page
from harness.local.inngest.page._lists import run_row
from harness.local.inngest.page._markup import Html, join, link, row, table, tag

MOST_CHARS = 20_000  # of one output that is shown
_WAITS = {"Sleep", "WaitForEvent", "InvokeFunction", "sleep", "wait", "invoke"}

Item = dict[str, Any]


def run(reader: sqlite3.Connection, run_id: str, now: int) -> Html | None:
    """A run's page; None where there is no such run.

    Args:
        now: in milliseconds, where the bars of what has not ended end.
    """
    found = find_run(reader, run_id)
    if found is None:
        return None
    _, function_id, event_id, status, created_at, started_at, ended_at, output = found
    happened = timeline(reader, run_id)
    started_at = started_at or _first_call(happened)
    lane = _lane(created_at, max(ended_at or now, created_at + 1))
    facts = [
        row("status", tag("span", status, class_=status)),
        row("function", function_id),
        row("event", link(f"/events/{event_id}", event_id)),
        row("made", iso(created_at)),
        row("first called", iso(started_at) if started_at else "not yet"),
        row("ended", iso(ended_at) if ended_at else "not yet"),
    ]
    what = "error" if status in ("FAILED", "CANCELLED") else "output"
    live = join(
        table(("", ""), facts),
        tag("h2", "Timeline"),
        _timeline(happened, created_at, started_at, now, lane),
        tag("h2", what.capitalize()),
        _shown(output) if output is not None else tag("p", "not yet", class_="soft"),
    )
    return page(f"Run {run_id}", live)


def event(reader: sqlite3.Connection, event_id: str) -> Html | None:
    """An event's page; None where there is no such event."""
    found = find_event(reader, event_id)
    if found is None:
        return None
    internal_id, received_at, body = found
    runs = reader.execute(
        "SELECT id, function_id, status, created_at, ended_at FROM runs WHERE event_id = ?"
        " ORDER BY rowid",
        (internal_id,),
    )
    heads = ("run", "function", "status", "made", "took")
    live = join(
        tag("p", f"received {iso(received_at)}", class_="soft"),
        _shown(body),
        tag("h2", "Runs"),
        table(heads, [run_row(*item) for item in runs]),
        *_not_started(reader, internal_id),
    )
    return page(f"Event {internal_id}", live)


def _not_started(reader: sqlite3.Connection, internal_id: str) -> list[Html]:
    (repeated,) = reader.execute(
        "SELECT repeated FROM events WHERE internal_id = ?", (internal_id,)
    ).fetchone()
    if repeated:
        words = "Its id was used within 24 hours before, so it starts nothing."
        return [tag("p", words, class_="soft")]
    rows = [row(item["function_id"], item["reason"]) for item in skips(reader, internal_id)]
    return [tag("h2", "Not started"), table(("function", "why"), rows)] if rows else []


Lane = Callable[[int, int, str], Html]


def _lane(begin: int, end: int) -> Lane:
    """Makes bars on a scale from one time to another, in milliseconds."""

    def bar(since: int, until: int, kind: str) -> Html:
        left = 100 * (since - begin) / (end - begin)
        width = 100 * (max(until, since) - since) / (end - begin)
        return tag("i", class_=kind, style=f"left:{left:.2f}%;width:{width:.2f}%")

    return bar


def _first_call(happened: dict[str, list[Item]]) -> int | None:
    """When an unfinished run was first called, as far as what was recorded tells."""
    items = [*happened["steps"], *happened["attempts"]]
    return min((item["started_at"] for item in items if item["started_at"]), default=None)


def _timeline(
    found: dict[str, list[Item]], created_at: int, started_at: int | None, now: int, bar: Lane
) -> Html:
    queued = row(
        "queue", "", tag("div", bar(created_at, started_at or now, "queued"), class_="lane"), ""
    )
    rows = [(created_at, queued)]
    for step in found["steps"]:
        since = step["started_at"] or step["queued_at"]
        kind = "waited" if step["op"] in _WAITS else "failed-bar" if step["failed"] else "ran"
        bars = [bar(step["queued_at"], since, "queued"), bar(since, step["ended_at"], kind)]
        tries = f"{step['op']}, {step['attempts']} attempt{'s' * (step['attempts'] != 1)}"
        rows.append((step["ended_at"], _line(step["name"], tries, bars, step["memo"])))
    for attempt in found["attempts"]:
        since = attempt["started_at"] or attempt["ended_at"]
        bars = [bar(since, attempt["ended_at"], "failed-bar")]
        words = f"attempt {attempt['attempt'] + 1} failed"
        name = attempt["name"] or "the function"
        rows.append((attempt["ended_at"], _line(name, words, bars, attempt["error"])))
    for waiting in found["pending"]:
        until = f", until {iso(waiting['due_at'])}" if waiting["due_at"] else ""
        words = f"waiting ({waiting['kind']}{until})"
        bars = [bar(waiting["queued_at"], now, "waited")]
        rows.append((now, _line(waiting["name"] or "the function", words, bars, None)))
    for note in found.get("notes", ()):
        rows.append((note["at"], row(note["name"], "note", "", note["text"])))
    ordered = [line for _, line in sorted(rows, key=lambda item: item[0])]
    return table(("step", "", "time", "output or error"), ordered)


def _line(name: str, words: str, bars: list[Html], content: Any) -> Html:
    shown = None if content is None else _shown(orjson.dumps(content))
    return row(name, words, tag("div", *bars, class_="lane"), shown)


def _shown(content: bytes) -> Html:
    """JSON as people read it, cut where it is too long for a page."""
    text = orjson.dumps(orjson.loads(content), option=orjson.OPT_INDENT_2).decode()
    if len(text) > MOST_CHARS:
        text = f"{text[:MOST_CHARS]}\n… {len(text) - MOST_CHARS:,} more characters"
    return tag("pre", text)
