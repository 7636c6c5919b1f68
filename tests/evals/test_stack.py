import io
import os

import httpx
import pytest
from rich.console import Console

from evals import stack as measured_stack
from evals.stack import measuring_stack
from harness.settings import Settings


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=100)


async def test_a_private_stack_runs_for_the_eval_and_leaves_no_process(
    tmp_path, console, monkeypatch
):
    started = []

    class Watched(measured_stack.Stack):
        async def __aenter__(self):
            entered = await super().__aenter__()
            started.append((list(self.pids.values()), self.home.path))
            return entered

    monkeypatch.setattr(measured_stack, "Stack", Watched)
    async with measuring_stack(Settings(home=tmp_path), {"convex"}, console) as measured:
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(f"{measured.settings.convex_url}/version")
        assert answer.status_code == 200
        assert measured.engines == {"convex": "local engine"}
        assert measured.settings.home == started[0][1]
    [(pids, folder)] = started
    assert pids
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert not folder.exists()


async def test_a_running_stack_is_used(tmp_path, console, monkeypatch):
    running = Settings(home=tmp_path, convex_url="http://127.0.0.1:9")
    monkeypatch.setattr(measured_stack, "running_settings", lambda home: running)
    async with measuring_stack(Settings(home=tmp_path), {"convex"}, console) as measured:
        assert measured.settings is running
        assert measured.engines == {"convex": "http://127.0.0.1:9"}
    assert console.file.getvalue() == ""


async def test_a_service_that_is_elsewhere_is_not_started(tmp_path, console, monkeypatch):
    monkeypatch.setitem(os.environ, "CONVEX_URL", "https://happy-otter-1.convex.cloud")
    async with measuring_stack(Settings(home=tmp_path), {"convex"}, console) as measured:
        assert measured.engines == {"convex": "https://happy-otter-1.convex.cloud"}
