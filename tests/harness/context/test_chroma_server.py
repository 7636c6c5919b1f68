"""Memory over a real Chroma server, shared by two clients as by two workers."""

import asyncio
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.context.memory import Memory
from harness.context.retriever import Scope
from harness.context.vectors import connect

START_S = 100.0


@pytest.fixture
def chroma_url(tmp_path, free_port):
    port = free_port()
    command = [str(Path(sys.executable).with_name("chroma")), "run", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--path", str(tmp_path / "server")]
    with (tmp_path / "chroma.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        _await_server(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def _await_server(port):
    end = time.monotonic() + START_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
        else:
            return


async def test_two_workers_share_a_users_memory(chroma_url, embedder, new_message):
    first, second = (Memory(connect(chroma_url), embedder) for _ in range(2))
    scope = Scope(user_id="user")
    await first.index("user", "thread", [new_message("The spare key hangs in the shed", 0)])
    assert (await second.retrieve("spare key", 1, scope))[0].order == 0
    await asyncio.gather(
        first.index("user", "thread", [new_message(f"key number {i}", i) for i in range(1, 40)]),
        second.index("user", "thread", [new_message(f"lock number {i}", i) for i in range(40, 80)]),
    )
    assert await first.count("user") == await second.count("user") == 80
    assert len(await first.retrieve("lock", 100, scope)) == 80
    await second.forget_user("user")
    assert await first.retrieve("key", 5, scope) == []
