import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from harness.errors import HarnessError
from harness.local import supervisor
from harness.local.environment import without_ours
from harness.local.supervisor import Stack, running_settings


@pytest.fixture
def stack(tmp_path):
    """Makes a stack of the parts that start quickly."""

    def make(**fields):
        fields.setdefault("parts", ["simulated"])
        return Stack(tmp_path / "home", environ=without_ours(), **fields)

    return make


async def test_a_stacks_settings_lead_to_its_parts(stack, http):
    async with stack() as running:
        models = await http.get(f"{running.settings.simulated_url}/models")
        assert models.json()["data"][0]["id"] == "simulated"


async def test_chroma_answers_in_a_stack(stack, http):
    async with stack(parts=["chroma"]) as running:
        beat = await http.get(f"{running.settings.chroma_url}/api/v2/heartbeat")
        assert beat.status_code == 200


async def test_a_running_stack_is_found_by_its_home(stack, tmp_path):
    async with stack() as running:
        found = running_settings(tmp_path / "home")
        assert found is not None
        assert found.simulated_url == running.settings.simulated_url
    assert running_settings(tmp_path / "home") is None


async def test_what_a_stack_publishes_holds_no_secret(stack, tmp_path):
    env = {"OPENAI_API_KEY": "sk-private", "HARNESS_MODEL": "gpt-x", "CLERK_JWT_KEY": "pem-text"}
    async with stack(env=env):
        published = (tmp_path / "home" / "stack.json").read_text()
    assert "sk-private" not in published
    assert "pem-text" not in published


async def test_a_second_stack_on_a_home_is_refused(stack):
    async with stack():
        with pytest.raises(HarnessError, match=f"process {os.getpid()}"):
            async with stack():
                pass


async def test_a_home_can_be_used_again_after_its_stack_was_stopped(stack):
    async with stack():
        pass
    async with stack() as running:
        assert running.pids


async def test_an_unknown_part_is_named():
    with pytest.raises(HarnessError, match="'redis'"):
        Stack(Path("unused"), parts=["redis"])


async def test_a_part_that_is_not_run_cannot_be_killed(stack):
    async with stack() as running:
        with pytest.raises(HarnessError, match="convex"):
            await running.kill("convex")


async def test_memory_counts_every_part(stack):
    async with stack() as running:
        one = running.memory_mb()
        assert one > 10
        await running.kill("simulated")
        assert running.memory_mb() == 0


async def test_a_taken_port_is_named_when_ports_are_fixed(stack):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        env = {"HARNESS_SIMULATED_URL": f"http://127.0.0.1:{port}/v1"}
        with pytest.raises(HarnessError, match=f"port {port} of simulated"):
            async with stack(env=env, free_ports=False):
                pass


@pytest.fixture
def faked(monkeypatch, fake_spec):
    """Runs every part of a stack as a tiny server; `specs` holds what was made."""
    specs = {}

    def make(name, settings, home, sync):
        before = ""
        if name in ("worker", "api"):
            # Ends when a service is not up yet.
            before = f"import socket; socket.create_connection(('127.0.0.1', {specs['port']}))"
        spec = fake_spec(
            name,
            before=before,
            tier=int(name in ("worker", "api")),
            when_ready=sync if name == "worker" else None,
        )
        specs[name] = spec
        specs["port"] = httpx.URL(spec.url).port if name == "inngest" else specs.get("port")
        return spec

    monkeypatch.setattr(supervisor, "part_spec", make)
    return specs


async def test_services_are_up_before_the_worker_and_the_api_start(stack, faked):
    async with stack(parts=["api", "worker", "inngest"]) as running:
        assert list(running.pids) == ["inngest", "worker", "api"]


async def test_inngest_is_told_of_the_workers_functions(stack, faked, tmp_path):
    async with stack(parts=["inngest", "worker"]):
        log = (tmp_path / "home" / "logs" / "worker.log").read_text()
    assert "PUT /api/inngest" in log


async def test_parts_are_stopped_when_one_does_not_start(stack, faked, monkeypatch, fake_spec):
    made = supervisor.part_spec

    def make(name, settings, home, sync):
        return (
            fake_spec(name, before="sys.exit(9)", tier=1)
            if name == "api"
            else made(name, settings, home, sync)
        )

    monkeypatch.setattr(supervisor, "part_spec", make)
    async with httpx.AsyncClient() as client:
        with pytest.raises(HarnessError, match="api ended with exit code 9"):
            async with stack(parts=["inngest", "api"]):
                pass
        with pytest.raises(httpx.ConnectError):
            await client.get(faked["inngest"].url)


SUPERVISOR = """
import asyncio, json, sys
from pathlib import Path
from harness.local.supervisor import Stack

async def main():
    async with Stack(Path(sys.argv[1]), parts=["simulated", "chroma"]) as stack:
        print(json.dumps(stack.pids), flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


def lives(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_no_part_outlives_a_killed_supervisor(tmp_path):
    parent = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(tmp_path / "home")],
        stdout=subprocess.PIPE,
        env=without_ours(),
    )
    with parent:
        pids = list(json.loads(parent.stdout.readline()).values())
        assert len(pids) == 2
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while any(lives(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(lives(pid) for pid in pids)
