"""What a stack is made of, and how one part of it is kept running."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from harness.errors import HarnessError
from harness.local.process import Echo, Process

_FIRST_BACKOFF_S = 0.2
_LONGEST_BACKOFF_S = 5.0
_STEADY_S = 10.0  # a part that lived this long starts its backoff anew
_PROBE_S = 0.05
_READY_TIMEOUT_S = 90.0


@dataclass(frozen=True)
class PartSpec:
    """How to run one part.

    Args:
        name: what people call it.
        command: what to run.
        url: its address.
        health: path under the address that answers 200 when the part is ready.
        env: variables on top of the stack's.
        tier: parts of a lower tier are ready before this one starts.
        when_ready: what to do after each start, once it is healthy.
    """

    name: str
    command: Sequence[str]
    url: str
    health: str
    env: Mapping[str, str] = field(default_factory=dict)
    tier: int = 0
    when_ready: Callable[[], Awaitable[None]] | None = None


class Part:
    """Keeps one part running: a crash is followed by a restart, from 0.2 s up to 5 s later.

    Args:
        spec: how to run it.
        env: its environment.
        log: its log file.
        echo: takes each line of its output, and what happens to it.
        client: for health checks.
    """

    def __init__(
        self,
        spec: PartSpec,
        env: Mapping[str, str],
        log: Path,
        client: httpx.AsyncClient,
        echo: Echo | None = None,
    ) -> None:
        self.spec = spec
        self.restarts = 0
        self._env = {**env, **spec.env}
        self._log = log
        self._client = client
        self._echo = echo
        self._process: Process | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        running = self._process is not None and self._process.exit_code is None
        return self._process.pid if self._process and running else None

    async def start(self) -> None:
        """Run it, wait until it is ready and watch over it from then on.

        Raises:
            HarnessError: it ended or did not become ready; names the part, with its log's tail.
        """
        await self._release()
        try:
            await self._run()
        except BaseException:
            if self._process:
                await self._process.stop()
            raise
        self._watch = asyncio.create_task(self._keep(), name=f"watch-{self.spec.name}")

    async def stop(self) -> None:
        """End it for good."""
        await self._release()
        if self._process:
            await self._process.stop()

    async def kill(self) -> None:
        """Kill it (SIGKILL); it stays down until `start`."""
        await self._release()
        if self._process:
            await self._process.kill()

    async def _release(self) -> None:
        watch, self._watch = self._watch, None
        if watch:
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch

    async def _run(self) -> None:
        self._process = Process(self.spec.command, self._env, self._log, self._echo)
        await self._process.start()
        await self._ready(self._process)
        if self.spec.when_ready:
            await self.spec.when_ready()

    async def _ready(self, process: Process) -> None:
        began = time.monotonic()
        while time.monotonic() - began < _READY_TIMEOUT_S:
            if process.exit_code is not None:
                raise self._failed(process, f"ended with exit code {process.exit_code}")
            with contextlib.suppress(httpx.HTTPError):
                answer = await self._client.get(self.spec.url + self.spec.health, timeout=5)
                if answer.status_code == httpx.codes.OK:
                    return
            await asyncio.sleep(_PROBE_S)
        raise self._failed(process, f"did not answer {self.spec.url}{self.spec.health} in "
                                    f"{_READY_TIMEOUT_S:.0f} s")  # fmt: skip

    def _failed(self, process: Process, what: str) -> HarnessError:
        tail = process.log_tail() or "(it wrote nothing)"
        return HarnessError(f"{self.spec.name} {what}; the end of {self._log}:\n{tail}")

    async def _keep(self) -> None:
        backoff = _FIRST_BACKOFF_S
        began = time.monotonic()
        while self._process:
            code = await self._process.wait()
            await self._process.kill()  # what it may have left behind in its group
            if time.monotonic() - began > _STEADY_S:
                backoff = _FIRST_BACKOFF_S
            self._say(f"ended with exit code {code}; starting again in {backoff:.1f} s")
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, _LONGEST_BACKOFF_S)
            began = time.monotonic()
            self.restarts += 1
            try:
                await self._run()
            except HarnessError as error:
                # Only what happened: the log's end, which follows, stands in the log already.
                self._say(str(error).partition("\n")[0])
                await self._process.stop()

    def _say(self, text: str) -> None:
        with self._log.open("a") as log:
            log.write(f"supervisor: {text}\n")
        if self._echo:
            self._echo(f"supervisor: {text}")
