"""Starts the parts of one stack in order, keeps them running and stops them."""

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Iterable, Mapping
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from harness.errors import HarnessError
from harness.keys import dev_key
from harness.local.convex import admin_key
from harness.local.environment import (
    PARTS,
    URL_VARIABLES,
    default_url,
    local_parts,
    settings_from,
    url_of,
    without_stray_key,
)
from harness.local.home import Home
from harness.local.part import Part, PartSpec
from harness.local.parts import local_port, part_spec
from harness.local.ports import free_port, is_free
from harness.local.process import Echo, group_memory_mb
from harness.settings import DEV_ISSUER, Settings

_SYNC_TIMEOUT_S = 30.0
_SYNC_PAUSE_S = 0.2
_SYNC_LONGEST_PAUSE_S = 5.0

EchoOf = Callable[[str], Echo]


class Stack:
    """One stack of the pipeline on this machine; an async context manager.

        async with Stack(home, env={"HARNESS_MODEL": "simulated"}) as stack:
            settings = stack.settings

    Args:
        home: the folder of its data, keys and logs; one stack a home.
        parts: which parts to run; default: those that the environment does not place elsewhere.
        env: variables on top of `environ`.
        environ: the environment to start from; default: the process's.
        free_ports: run on ports that are free, or else where the settings say.
        echo: makes, for a part's name, what takes each line of its output.
    """

    def __init__(
        self,
        home: Path,
        *,
        parts: Iterable[str] | None = None,
        env: Mapping[str, str] | None = None,
        environ: Mapping[str, str] | None = None,
        free_ports: bool = True,
        echo: EchoOf | None = None,
    ) -> None:
        given = {**(os.environ if environ is None else environ), **(env or {})}
        self.home = Home(home)
        self._given = without_stray_key(given)
        wanted = local_parts(given) if parts is None else set(parts)
        unknown = sorted(set(wanted) - set(PARTS))
        if unknown:
            raise HarnessError(f"unknown part {unknown[0]!r}", f"Use {', '.join(PARTS)}")
        self._names = [name for name in PARTS if name in wanted]
        self._free_ports = free_ports
        self._echo = echo
        self._parts: dict[str, Part] = {}
        self._client = httpx.AsyncClient(trust_env=False)
        self._synced = False
        self._syncing: set[asyncio.Task[None]] = set()
        self.env: dict[str, str] = {}

    @property
    def settings(self) -> Settings:
        """The settings that its parts run with, keys included."""
        return settings_from(self.env)

    @property
    def urls(self) -> dict[str, str]:
        """The address of each part that it runs."""
        return {name: part.spec.url for name, part in self._parts.items()}

    @property
    def pids(self) -> dict[str, int]:
        """The process id of each part that is up."""
        return {name: part.pid for name, part in self._parts.items() if part.pid is not None}

    @property
    def restarts(self) -> dict[str, int]:
        """How often each part was started again after a crash."""
        return {name: part.restarts for name, part in self._parts.items()}

    async def __aenter__(self) -> Self:
        self.home.prepare()
        self.home.lock()
        try:
            self.env = self._environment()
            settings = self.settings
            settings.workspace_dir.mkdir(parents=True, exist_ok=True)
            specs = [part_spec(name, settings, self.home, self._sync) for name in self._names]
            await self._start_all(specs)
            self._publish()
        except BaseException:
            await self._stop_all()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stop_all()

    async def kill(self, name: str) -> None:
        """Kill a part (SIGKILL); it stays down until `start`."""
        await self._part(name).kill()

    async def start(self, name: str) -> None:
        """Start a part that was killed or stopped; returns when it is ready."""
        await self._part(name).start()
        self._publish()

    async def stop(self, name: str) -> None:
        """Stop a part cleanly; it stays down until `start`."""
        await self._part(name).stop()

    async def restart(self, name: str) -> None:
        """Stop a part cleanly and start it again."""
        await self.stop(name)
        await self.start(name)

    def memory_mb(self) -> float:
        """Resident memory of all parts with their children, in megabytes."""
        return group_memory_mb(set(self.pids.values()))

    def _part(self, name: str) -> Part:
        if name not in self._parts:
            raise HarnessError(
                f"this stack runs no part {name!r}", f"It runs {', '.join(self._names)}"
            )
        return self._parts[name]

    def _environment(self) -> dict[str, str]:
        env = {**self._given, "HARNESS_HOME": str(self.home.path), "PYTHONUNBUFFERED": "1"}
        env.setdefault("ANONYMIZED_TELEMETRY", "False")  # the worker's Chroma client sends it too
        for name in self._names:
            base = f"http://127.0.0.1:{free_port()}" if self._free_ports else self._fixed(name)
            suffix = "/v1" if name in ("model", "simulated") and self._free_ports else ""
            env[URL_VARIABLES[name]] = base + suffix
        if "convex" in self._names:
            env["CONVEX_DEPLOY_KEY"] = admin_key(self.home)
        if "inngest" in self._names:
            env["INNGEST_DEV"] = "1"
        if env.get("HARNESS_ENV", "local") == "local" and not env.get("CLERK_JWT_KEY"):
            key = dev_key(self.home.path)
            env.setdefault("CLERK_ISSUER", DEV_ISSUER)
            env["CLERK_JWT_KEY"] = key.public_pem
            env["CLERK_JWKS_URL"] = key.jwks_url
        return env

    def _fixed(self, name: str) -> str:
        url = self._given.get(URL_VARIABLES[name], default_url(name))
        port = local_port(name, url)
        if not is_free(port):
            raise HarnessError(
                f"port {port} of {name} is taken",
                f"Stop what listens there, set {URL_VARIABLES[name]}, or add --any-port",
            )
        return url

    async def _start_all(self, specs: list[PartSpec]) -> None:
        for _, tier in groupby(specs, key=lambda spec: spec.tier):
            starting = []
            for spec in tier:
                log = self.home.logs / f"{spec.name}.log"
                echo = self._echo(spec.name) if self._echo else None
                part = Part(spec, self.env, log, self._client, echo)
                self._parts[spec.name] = part
                starting.append(asyncio.create_task(part.start(), name=f"start-{spec.name}"))
            await _all_or_first_error(starting)

    async def _stop_all(self) -> None:
        for task in self._syncing:
            task.cancel()
        for part in reversed(self._parts.values()):
            await part.stop()
        await self._client.aclose()
        self.home.unlock()

    def _publish(self) -> None:
        parts = {
            name: {"url": part.spec.url, "pid": part.pid} for name, part in self._parts.items()
        }
        settings = self.settings
        # No secret: whoever may read the home finds the keys where they are.
        urls = {URL_VARIABLES[name]: url_of(name, settings) for name in PARTS}
        model = {"HARNESS_MODEL": settings.model} if settings.model else {}
        started = int(time.time() * 1000)
        self.home.publish({"started": started, "parts": parts, "env": {**urls, **model}})

    async def _sync(self) -> None:
        """The first time, a stack is not ready before Inngest knows the functions. Inngest keeps
        them, so after a restart of the worker it is told again without holding up the worker."""
        if not self._synced:
            await self._sync_within(_SYNC_TIMEOUT_S)
            self._synced = True
            return
        task = asyncio.create_task(self._sync_within(None), name="sync-worker")
        self._syncing.add(task)
        task.add_done_callback(self._syncing.discard)

    async def _sync_within(self, timeout_s: float | None) -> None:
        url = f"{self._parts['worker'].spec.url}/api/inngest"
        last, pause = "no answer", _SYNC_PAUSE_S
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while True:
                    try:
                        answer = await self._client.put(url, timeout=10)
                        if answer.is_success:
                            return
                        last = f"{answer.status_code} {answer.text[:300]}"
                    except httpx.HTTPError as error:
                        last = str(error) or type(error).__name__
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, _SYNC_LONGEST_PAUSE_S)
        inngest = self.settings.inngest_base_url
        raise HarnessError(
            f"Inngest at {inngest} did not take the worker's functions: {last}",
            f"See {self.home.logs / 'inngest.log'} and {self.home.logs / 'worker.log'}",
        )


async def _all_or_first_error(tasks: list[asyncio.Task[None]]) -> None:
    waiting: set[asyncio.Task[None]] = set(tasks)
    try:
        done, waiting = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


def running_settings(home: Path) -> Settings | None:
    """The settings of the stack that runs in this home; None when none does.

    Args:
        home: a HARNESS_HOME.
    """
    place = Home(home)
    stack = place.running_stack()
    if stack is None:
        return None
    env = {**without_stray_key(os.environ), **stack["env"], "HARNESS_HOME": str(place.path)}
    if "convex" in stack["parts"]:
        env["CONVEX_DEPLOY_KEY"] = admin_key(place)
    if env.get("HARNESS_ENV", "local") == "local" and not env.get("CLERK_JWT_KEY"):
        env["CLERK_JWT_KEY"] = dev_key(place.path).public_pem
    return settings_from(env)
