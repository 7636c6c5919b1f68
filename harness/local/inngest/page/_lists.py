"""The pages that list: functions with their settings, runs, events."""

import sqlite3
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from harness.local.inngest._times import iso
from harness.local.inngest.page._frame import page
from harness.local.inngest.page._markup import Html, join, link, row, table, tag
from harness.local.inngest.state import Status

ROWS = 50
_NO_SETTING = {"id", "name", "steps", "triggers"}  # of a function's configuration

Query = Mapping[str, str]


def functions(
    reader: sqlite3.Connection, unfinished: Mapping[str, int], skipped: Mapping[str, int]
) -> Html:
    """Apps and their functions.

    Args:
        unfinished: how many runs of each function are.
        skipped: how many events each matched and did not start, since the engine's start.
    """
    sections = []
    for app_id, url, sdk, synced_at in reader.execute(
        "SELECT id, url, sdk, synced_at FROM apps ORDER BY id"
    ):
        rows = [
            _function(
                function_id,
                orjson.loads(config),
                unfinished.get(function_id, 0),
                skipped.get(function_id, 0),
            )
            for function_id, config in reader.execute(
                "SELECT id, config FROM functions WHERE app_id = ? AND active ORDER BY id",
                (app_id,),
            )
        ]
        about = f"{url} · {sdk} · registered {iso(synced_at)}"
        heads = ("function", "triggers", "retries", "settings", "unfinished", "skipped")
        sections += [tag("h2", app_id), tag("p", about, class_="soft"), table(heads, rows)]
    nothing = tag("p", "No app has registered yet.", class_="soft")
    return page("Functions", join(*sections) if sections else nothing)


def runs(reader: sqlite3.Connection, query: Query) -> Html:
    """The newest runs that fit the filters `function`, `status` and `event`."""
    chosen = {
        "function_id = ?": query.get("function"),
        "status = ?": query.get("status"),
        "event_id = ?": query.get("event"),
    }
    found = _newest(
        reader,
        "SELECT rowid, id, function_id, status, created_at, started_at, ended_at FROM runs",
        chosen,
        query,
    )
    heads = ("run", "function", "status", "made", "took")
    live = join(table(heads, [_run(item) for item in found]), _older("/runs", query, found))
    names = [name for (name,) in reader.execute("SELECT id FROM functions ORDER BY id")]
    form = tag(
        "form",
        _choice("function", names, query),
        _choice("status", [status.value for status in Status], query),
        _text("event", "event's internal id", query),
        tag("button", "Filter"),
    )
    return page("Runs", live, form)


def events(reader: sqlite3.Connection, query: Query) -> Html:
    """The newest events, of one `name` where it is given."""
    found = _newest(
        reader,
        "SELECT rowid, internal_id, name, received_at FROM events",
        {"name = ?": query.get("name")},
        query,
    )
    rows = [
        row(link(f"/events/{internal_id}", internal_id), name, iso(received_at))
        for _, internal_id, name, received_at in found
    ]
    live = join(table(("event", "name", "received"), rows), _older("/events", query, found))
    form = tag("form", _text("name", "event's name", query), tag("button", "Filter"))
    return page("Events", live, form)


def run_row(run_id: str, function_id: str, status: str, made: int, ended: int | None) -> Html:
    """One run in a list."""
    return row(
        link(f"/runs/{quote(run_id)}", run_id),
        link(f"/runs?{urlencode({'function': function_id})}", function_id),
        tag("span", status, class_=status),
        iso(made),
        "" if ended is None else f"{ended - made:,} ms",
    )


def _function(function_id: str, config: dict[str, Any], unfinished: int, skipped: int) -> Html:
    triggers = [
        tag("div", tag("code", trigger.get("event") or ""), f" if {condition}" if condition else "")
        for trigger in config["triggers"]
        for condition in [trigger.get("expression")]
    ]
    settings = [
        tag("div", f"{name}: {orjson.dumps(value).decode()}")
        for name, value in config.items()
        if name not in _NO_SETTING and value not in (None, [], {})
    ]
    retries = (config["steps"]["step"].get("retries") or {}).get("attempts")
    return row(
        link(f"/runs?{urlencode({'function': function_id})}", function_id),
        join(*triggers),
        "default" if retries is None else retries,
        join(*settings),
        unfinished,
        skipped,
    )


def _run(found: tuple[Any, ...]) -> Html:
    _, run_id, function_id, status, created_at, _, ended_at = found
    return run_row(run_id, function_id, status, created_at, ended_at)


def _newest(
    reader: sqlite3.Connection, select: str, chosen: Mapping[str, str | None], query: Query
) -> list[tuple[Any, ...]]:
    before = query.get("before", "")
    given = {where: value for where, value in chosen.items() if value}
    where = [*given, "rowid < ?"] if before.isdecimal() else list(given)
    arguments = [*given.values(), *([int(before)] if before.isdecimal() else [])]
    condition = f" WHERE {' AND '.join(where)}" if where else ""
    return reader.execute(
        f"{select}{condition} ORDER BY rowid DESC LIMIT {ROWS}", arguments
    ).fetchall()


def _older(path: str, query: Query, found: list[tuple[Any, ...]]) -> Html | None:
    if len(found) < ROWS:
        return None
    return tag("p", link(f"{path}?{urlencode({**query, 'before': found[-1][0]})}", "older"))


def _choice(name: str, values: list[str], query: Query) -> Html:
    options = [tag("option", f"any {name}", value="")]
    for value in values:
        chosen = {"selected": "selected"} if query.get(name) == value else {}
        options.append(tag("option", value, value=value, **chosen))
    return tag("select", *options, name=name)


def _text(name: str, hint: str, query: Query) -> Html:
    return tag("input", name=name, placeholder=hint, value=query.get(name, ""))
