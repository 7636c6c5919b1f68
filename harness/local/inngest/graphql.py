"""The four GraphQL queries that test helpers of the SDKs send to a development server."""

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from harness.local.inngest.api import engine_of, reply, signed
from harness.local.inngest.inspection import find_event, find_run

Arguments = Mapping[str, Any]


class QueryError(ValueError):
    """A query that cannot be answered; the text says what can be."""


async def query(request: Request) -> Response:
    """`POST /v0/gql`."""
    # A third of the engine's start-up time, for what only tests ask.
    from graphql.error import GraphQLError

    try:
        body = orjson.loads(await request.body())
        data = answer(engine_of(request).journal.reader, body["query"], body.get("variables") or {})
    except (QueryError, GraphQLError) as error:
        return reply({"data": None, "errors": [{"message": str(error)}]})
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        return reply({"errors": [{"message": f"the request is malformed: {error!r}"}]}, 400)
    return reply({"data": data})


def answer(reader: sqlite3.Connection, source: str, variables: Arguments) -> dict[str, Any]:
    """The data of a query.

    Args:
        reader: a connection to the journal.

    Raises:
        QueryError: it asks for something unknown.
        graphql.GraphQLError: it is no GraphQL.
    """
    from graphql.language import parse
    from graphql.language.ast import FieldNode, OperationDefinitionNode
    from graphql.utilities import value_from_ast_untyped

    def fields(node: Any) -> list[FieldNode]:
        return [item for item in node.selection_set.selections if isinstance(item, FieldNode)]

    def project(value: Any, node: Any) -> Any:
        if isinstance(value, list):
            return [project(item, node) for item in value]
        if value is None or node.selection_set is None:
            return value
        return {
            (item.alias or item.name).value: project(value.get(item.name.value), item)
            for item in fields(node)
        }

    data: dict[str, Any] = {}
    for operation in parse(source).definitions:
        if not isinstance(operation, OperationDefinitionNode):
            raise QueryError("fragments are not supported: spell the fields out")
        for node in fields(operation):
            name = node.name.value
            if name not in _RESOLVERS:
                known = ", ".join(sorted(_RESOLVERS))
                raise QueryError(f"the query {name!r} is not supported; these are: {known}")
            arguments = {
                item.name.value: value_from_ast_untyped(item.value, dict(variables))
                for item in node.arguments
            }
            found = _RESOLVERS[name](reader, arguments)
            data[(node.alias or node.name).value] = project(found, node)
    return data


def _run(reader: sqlite3.Connection, arguments: Arguments) -> dict[str, Any]:
    row = _run_row(reader, arguments)
    steps = reader.execute(
        "SELECT hash, name FROM steps WHERE run_id = ? ORDER BY rowid", (row[0],)
    )
    spans = [{"name": name, "outputID": f"{row[0]}.{step}"} for step, name in steps]
    return {
        "id": row[0],
        "status": row[3],
        "output": None if row[7] is None else row[7].decode(),
        "trace": {"name": row[1], "childrenSpans": spans},
    }


def _run_row(reader: sqlite3.Connection, arguments: Arguments) -> tuple[Any, ...]:
    row = find_run(reader, str(arguments.get("runID")))
    if row is None:
        raise QueryError(f"no run {arguments.get('runID')}")
    return row


def _span_output(reader: sqlite3.Connection, arguments: Arguments) -> dict[str, Any]:
    run_id, _, step = str(arguments.get("outputID")).partition(".")
    row = reader.execute(
        "SELECT memo FROM steps WHERE run_id = ? AND hash = ?", (run_id, step)
    ).fetchone()
    if row is None:
        raise QueryError(f"no output {arguments.get('outputID')}")
    memo = orjson.loads(row[0])
    wrapped = isinstance(memo, dict) and memo.keys() <= {"data", "error"}
    error = memo.get("error") if wrapped else None
    if error is not None:
        return {"data": None, "error": error}
    return {"data": orjson.dumps(memo.get("data") if wrapped else memo).decode(), "error": None}


def _event(reader: sqlite3.Connection, arguments: Arguments) -> dict[str, Any]:
    event_id = str((arguments.get("query") or {}).get("eventId"))
    row = find_event(reader, event_id)
    if row is None:
        raise QueryError(f"no event {event_id}")
    runs = reader.execute("SELECT id FROM runs WHERE event_id = ? ORDER BY rowid", (row[0],))
    return {"id": row[0], "functionRuns": [{"id": run_id} for (run_id,) in runs]}


def _trigger(reader: sqlite3.Connection, arguments: Arguments) -> dict[str, Any]:
    event = find_event(reader, _run_row(reader, arguments)[2])
    return {"payloads": [] if event is None else [event[2].decode()]}


_RESOLVERS: dict[str, Callable[[sqlite3.Connection, Arguments], dict[str, Any]]] = {
    "event": _event,
    "run": _run,
    "runTraceSpanOutputByID": _span_output,
    "runTrigger": _trigger,
}

ROUTES = [Route("/v0/gql", signed(query), methods=["POST"])]
