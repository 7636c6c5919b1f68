"""An engine and an app of the real SDK, over real sockets."""

import asyncio
import logging
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import fastapi
import httpx
import inngest
import pytest
import uvicorn

from harness.local.inngest import Options, create_app

with warnings.catch_warnings():
    # The SDK's own models still use a form that pydantic deprecates.
    warnings.simplefilter("ignore")
    import inngest.fast_api

PATIENCE_S = 30


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Server:
    """An ASGI application in a thread of its own, so that neither side's loop is the test's."""

    def __init__(self, app: Any, port: int) -> None:
        self._server = uvicorn.Server(
            uvicorn.Config(app, port=port, log_level="critical", timeout_graceful_shutdown=1)
        )
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def start(self) -> None:
        self._thread.start()
        deadline = time.monotonic() + PATIENCE_S
        while not self._server.started:
            assert self._thread.is_alive(), "the server did not start"
            assert time.monotonic() < deadline
            time.sleep(0.005)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(PATIENCE_S)


class Local:
    """What a test drives: functions, an app that serves them, an engine that runs them."""

    def __init__(self, folder: Path) -> None:
        self.db = folder / "inngest.db"
        self.port, self.app_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.app_url = f"http://127.0.0.1:{self.app_port}/api/inngest"
        self.http = httpx.AsyncClient(base_url=self.url, timeout=PATIENCE_S)
        self.clients: list[inngest.Inngest] = []
        self.client = self.new_client("app")
        self.functions: list[inngest.Function[Any]] = []
        self.engine: Server | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self.app: Server | None = None
        self.others: list[Server] = []

    def new_client(self, app_id: str, **options: Any) -> inngest.Inngest:
        quiet = logging.getLogger("inngest-test-app")
        quiet.disabled = True
        made = inngest.Inngest(
            app_id=app_id,
            api_base_url=self.url,
            event_api_base_url=self.url,
            logger=quiet,
            **({"is_production": False} | options),
        )
        self.clients.append(made)
        return made

    def function(self, fn_id: str, event: str, **options: Any) -> Callable[[Any], Any]:
        """A decorator that adds a function, triggered by `event`."""

        def add(handler: Any) -> Any:
            trigger = inngest.TriggerEvent(event=event, expression=options.pop("expression", None))
            made = self.client.create_function(fn_id=fn_id, trigger=trigger, **options)(handler)
            self.functions.append(made)
            return made

        return add

    def start_engine(self, **options: Any) -> None:
        chosen = Options(db=self.db, **({"backoff_ms": 10} | options))
        self.engine = Server(create_app(chosen), self.port)
        self.engine.start()

    def stop_engine(self) -> None:
        if self.engine:
            self.engine.stop()
            self.engine = None

    def spawn_engine(self) -> None:
        """Start the engine as a process, which can be killed."""
        command = [sys.executable, "-m", "harness.local.inngest", "--backoff-ms", "10"]
        command += ["--port", str(self.port), "--db", str(self.db)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self.process.stdout
        assert b"listening" in self.process.stdout.readline()

    def kill_engine(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
            assert self.process.stdout
            self.process.stdout.close()
            self.process = None

    def start_app(self, **options: Any) -> None:
        app = fastapi.FastAPI()
        inngest.fast_api.serve(app, self.client, self.functions, **options)
        self.app = Server(app, self.app_port)
        self.app.start()

    def start_other_app(
        self, client: inngest.Inngest, functions: list[inngest.Function[Any]]
    ) -> str:
        """Serve another app beside; its serve address."""
        app, port = fastapi.FastAPI(), free_port()
        inngest.fast_api.serve(app, client, functions)
        self.others.append(Server(app, port))
        self.others[-1].start()
        return f"http://127.0.0.1:{port}/api/inngest"

    def stop_app(self) -> None:
        if self.app:
            self.app.stop()
            self.app = None

    async def register(self) -> dict[str, Any]:
        """Make the app register itself; what the engine answered."""
        async with httpx.AsyncClient(timeout=PATIENCE_S) as client:
            found: dict[str, Any] = (await client.put(self.app_url)).json()
        return found

    async def registered(self) -> dict[str, Any]:
        """The engine's apps, once there are any."""

        async def look() -> dict[str, Any]:
            found: dict[str, Any] = (await self.http.get("/v1/apps")).json()["apps"]
            return found

        apps: dict[str, Any] = await eventually(look)
        return apps

    async def serve(self, *, process: bool = False, **options: Any) -> None:
        """Start both sides and register the app."""
        if process:
            self.spawn_engine()
        else:
            self.start_engine(**options)
        self.start_app()
        assert (await self.register())["ok"] is True

    async def send(self, name: str, data: dict[str, Any] | None = None, **fields: Any) -> str:
        """Send an event; its internal id."""
        sent = await self.client.send(inngest.Event(name=name, data=data or {}, **fields))
        return sent[0]

    async def runs(self, event_id: str) -> list[dict[str, Any]]:
        answer = await self.http.get(f"/v1/events/{event_id}/runs")
        found: list[dict[str, Any]] = answer.json()["data"]
        return found

    async def all_runs(self, event_id: str, count: int) -> list[dict[str, Any]]:
        """The runs an event started, once there are so many."""

        async def look() -> list[dict[str, Any]] | None:
            found = await self.runs(event_id)
            return found if len(found) == count else None

        made: list[dict[str, Any]] = await eventually(look)
        return made

    async def ended(self, event_id: str) -> dict[str, Any]:
        """The one run an event started, once it has ended."""
        return await eventually(self._ended, event_id)

    async def ended_run(self, run_id: str) -> dict[str, Any]:
        """A run once it has ended."""

        async def look() -> dict[str, Any] | None:
            found: dict[str, Any] = (await self.http.get(f"/v1/runs/{run_id}")).json()["data"]
            return found if found["ended_at"] else None

        return await eventually(look)

    async def _ended(self, event_id: str) -> dict[str, Any] | None:
        runs = await self.runs(event_id)
        return runs[0] if runs and runs[0]["ended_at"] else None

    async def run(self, name: str, data: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send an event and wait for the end of the run it starts."""
        return await self.ended(await self.send(name, data))

    async def timeline(self, run_id: str) -> dict[str, Any]:
        found: dict[str, Any] = (await self.http.get(f"/v1/runs/{run_id}/timeline")).json()["data"]
        return found

    async def finished_step(self, run_id: str) -> dict[str, Any]:
        """A run's first finished step, once the journal has one."""

        async def look() -> dict[str, Any] | None:
            return next(iter((await self.timeline(run_id))["steps"]), None)

        found: dict[str, Any] = await eventually(look)
        return found

    async def waiting(self, event_id: str, kind: str, name: str = "") -> dict[str, Any]:
        """The run an event started, once the journal says that it waits for something.

        Args:
            name: of the step; any where it is empty.
        """

        async def look() -> dict[str, Any] | None:
            for found in await self.runs(event_id):
                pending = (await self.timeline(found["run_id"]))["pending"]
                if any(item["kind"] == kind and name in item["name"] for item in pending):
                    return found
            return None

        return await eventually(look)

    async def close(self) -> None:
        await self.http.aclose()
        for client in self.clients:
            # The SDK never closes its connections, and an open one is an error here.
            await client._http_client._http_client.aclose()
            client._http_client._http_client_sync.close()
        self.stop_app()
        for other in self.others:
            other.stop()
        self.stop_engine()
        self.kill_engine()


async def eventually(look: Callable[..., Any], *arguments: Any) -> Any:
    """What `look` finds, once it finds something."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if found := await look(*arguments):
            return found
        await asyncio.sleep(0.005)
    raise AssertionError(f"{look} found nothing in {PATIENCE_S} s")


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[Local]:
    made = Local(tmp_path)
    yield made
    await made.close()


@pytest.fixture
def until() -> Callable[..., Any]:
    """Wait for a condition: `await until(lambda: …)`."""

    async def wait(condition: Callable[[], Any]) -> Any:
        async def look() -> Any:
            return condition()

        return await eventually(look)

    return wait
