import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from evals.commands import compare, measuring, report
from evals.sweep import command as sweep
from harness.settings import Settings

_ASKING = (measuring, compare, report, sweep)  # commands that ask for settings


@pytest.fixture(scope="session")
def use_settings() -> Callable[[pytest.MonkeyPatch, Callable[[], Settings]], None]:
    """Gives the commands the settings of a test."""

    def use(monkeypatch: pytest.MonkeyPatch, made: Callable[[], Settings]) -> None:
        for module in _ASKING:
            monkeypatch.setattr(module, "get_settings", made)

    return use


class _Server(uvicorn.Server):
    def capture_signals(self):
        return nullcontext()


@pytest.fixture
def serving() -> Callable[..., AbstractAsyncContextManager[str]]:
    """Serves an ASGI application on a port of this machine while it is entered."""

    @asynccontextmanager
    async def serve(app) -> AsyncIterator[str]:
        with socket.create_server(("127.0.0.1", 0)) as listening:  # takes connections from here on
            server = _Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
            task = asyncio.create_task(server.serve(sockets=[listening]))
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
            server.should_exit = server.force_exit = True
            await task

    return serve


class JudgeServer:
    """An OpenAI-compatible server whose verdicts a test writes.

    It answers every request with what `decide` makes of the text that is to be judged.

    Attributes:
        decide: the judge's words, given the whole request's last message.
        refuses_schemas: whether it is a server that knows no `response_format`.
        requests: what it was sent.
    """

    def __init__(self, serve: Callable) -> None:
        self.decide: Callable[[str], str] = lambda _: self.verdict(True)
        self.refuses_schemas = False
        self.failure: int | None = None
        self.requests: list[dict] = []
        self.headers: list[dict[str, str]] = []
        route = Route("/v1/chat/completions", self._answer, methods=["POST"])
        self.url = f"{serve(Starlette(routes=[route])).url}/v1"

    async def _answer(self, request: Request) -> Response:
        asked = await request.json()
        self.requests.append(asked)
        self.headers.append(dict(request.headers))
        if self.failure is not None:
            return JSONResponse({"error": {"message": "not today"}}, self.failure)
        if self.refuses_schemas and "response_format" in asked:
            return JSONResponse({"error": {"message": "unknown: response_format"}}, 400)
        message = {"role": "assistant", "content": self.decide(asked["messages"][-1]["content"])}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return JSONResponse(
            {
                "id": "j",
                "object": "chat.completion",
                "created": 0,
                "model": asked["model"],
                "choices": [choice],
            }
        )

    @staticmethod
    def verdict(met: bool) -> str:
        return json.dumps({"reason": "it says so", "met": met})


@pytest.fixture
def judge_server(serve: Callable) -> JudgeServer:
    return JudgeServer(serve)
