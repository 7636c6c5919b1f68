"""The bench's scripts in the TypeScript room: the load generator, and those that run once."""

import asyncio
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from harness.errors import HarnessError
from harness.local.convex import script_command

_LINE_BYTES = 64 << 20
_TAIL_CHARACTERS = 500


async def run_script(script: str, *arguments: str) -> str:
    """Run a script to its end; answers what it printed.

    Args:
        script: its path inside of the TypeScript room.
        arguments: what it is given.

    Raises:
        HarnessError: it failed.
    """
    child = await asyncio.create_subprocess_exec(
        *script_command(script, *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        printed, errors = await child.communicate()
    finally:
        if child.returncode is None:
            child.kill()
    if child.returncode:
        raise HarnessError(f"{script} failed: {errors.decode()[-_TAIL_CHARACTERS:].strip()}")
    return printed.decode()


class Generator:
    """The load generator, a process of its own; an async context manager.

    Args:
        log: where its errors go.
    """

    def __init__(self, log: Path) -> None:
        self._log = log

    async def __aenter__(self) -> Self:
        with self._log.open("ab") as log:
            self._child = await asyncio.create_subprocess_exec(
                *script_command("bench/load.ts"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                limit=_LINE_BYTES,
            )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._child.returncode is None:
            self._child.kill()
        await self._child.wait()

    async def ask(self, what: str, **fields: Any) -> dict[str, Any]:
        """Have something done.

        Args:
            what: `rate`, `fill` or `push`.
            fields: of the request, as the script has them.

        Raises:
            HarnessError: it could not be done.
        """
        if self._child.stdin is None or self._child.stdout is None:
            raise RuntimeError("the generator has no pipes")
        self._child.stdin.write(orjson.dumps({"do": what, **fields}) + b"\n")
        await self._child.stdin.drain()
        line = await self._child.stdout.readline()
        answer: dict[str, Any] = orjson.loads(line) if line else {"error": "the generator ended"}
        if "error" in answer:
            raise HarnessError(f"the load ({what}) failed: {answer['error']}")
        return answer
