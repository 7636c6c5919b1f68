import asyncio
import os
import signal
from pathlib import Path

import httpx
import pytest

from harness.errors import HarnessError
from harness.local import part as part_module
from harness.local import process as process_module
from harness.local.part import Part


@pytest.fixture
async def run(fake_spec, http, tmp_path):
    """Starts a part over a fake server and stops it after the test."""
    started = []

    async def start(echo=None, **fields):
        spec = fake_spec(**fields)
        part = Part(spec, dict(os.environ), tmp_path / "fake.log", http, echo)
        started.append(part)
        await part.start()
        return part

    yield start
    for part in started:
        await part.stop()


def lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


async def until(condition):
    async with asyncio.timeout(20):
        while True:  # another process changes it
            if condition():
                return
            await asyncio.sleep(0.02)


async def test_a_started_part_answers(run, http):
    part = await run()
    assert (await http.get(part.spec.url)).text == str(part.pid)


async def test_a_part_that_ends_at_once_is_named_with_its_log(run):
    with pytest.raises(HarnessError, match=r"fake ended with exit code 3(.|\n)*no disk"):
        await run(before='print("no disk", flush=True); sys.exit(3)')


async def test_what_a_user_is_told_of_a_crash_has_no_traceback(run):
    with pytest.raises(HarnessError) as caught:
        await run(before='raise RuntimeError("no disk")')
    assert "RuntimeError: no disk" in str(caught.value)
    assert "Traceback" not in str(caught.value)
    assert "line 1" not in str(caught.value)


async def test_a_part_that_is_never_healthy_is_named_and_stopped(run, monkeypatch):
    monkeypatch.setattr(part_module, "_READY_TIMEOUT_S", 0.5)
    with pytest.raises(HarnessError, match="fake did not answer"):
        await run(status=503)


async def test_a_program_that_is_missing_is_named(http, tmp_path, fake_spec):
    spec = fake_spec()
    missing = part_module.PartSpec("fake", ["no-such-program"], spec.url, "/")
    with pytest.raises(HarnessError, match="no-such-program"):
        await Part(missing, {"PATH": "/bin"}, tmp_path / "log", http).start()


async def test_a_crashed_part_is_started_again(run, http):
    part = await run()
    first = part.pid
    os.kill(first, signal.SIGKILL)
    await until(lambda: part.pid not in (None, first) and part.restarts == 1)
    async with asyncio.timeout(20):
        while True:
            try:
                assert (await http.get(part.spec.url)).text == str(part.pid)
                break
            except httpx.ConnectError:
                await asyncio.sleep(0.02)


async def test_a_part_that_keeps_crashing_waits_longer_each_time(run, tmp_path):
    flag = tmp_path / "started"
    before = f"""
        import pathlib
        flag = pathlib.Path({str(flag)!r})
        if flag.exists(): sys.exit(1)
        flag.touch()
    """
    part = await run(before=before)
    os.kill(part.pid, signal.SIGKILL)
    await until(lambda: part.restarts == 3)
    text = (tmp_path / "fake.log").read_text()
    waits = [line.split(" in ")[1] for line in text.splitlines() if "starting again" in line]
    assert waits[:3] == ["0.2 s", "0.4 s", "0.8 s"]


async def test_a_killed_part_stays_down_until_it_is_started(run, http):
    part = await run()
    await part.kill()
    await asyncio.sleep(0.4)  # longer than the first backoff
    assert part.pid is None
    await part.start()
    assert (await http.get(part.spec.url)).status_code == 200


async def test_stopping_takes_the_parts_children_along(run, http, tmp_path):
    file = tmp_path / "child"
    before = f"""
        import pathlib, subprocess
        child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
        pathlib.Path({str(file)!r}).write_text(str(child.pid))
    """
    part = await run(before=before)
    child = int(file.read_text())
    await part.stop()
    await until(lambda: not lives(child))


async def test_a_part_that_ignores_the_polite_signal_is_killed(run, monkeypatch):
    monkeypatch.setattr(process_module, "_TERM_GRACE_S", 0.3)
    part = await run(before="import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)")
    pid = part.pid
    await part.stop()
    assert not lives(pid)


async def test_output_goes_to_the_log_and_to_the_echo(run, http, tmp_path):
    lines = []
    part = await run(echo=lines.append, before='print("hello from fake", flush=True)')
    await until(lambda: "hello from fake" in lines)
    await part.stop()
    assert "hello from fake" in (tmp_path / "fake.log").read_text()


async def test_every_start_does_what_is_due_when_ready(run):
    calls = []

    async def when_ready():
        calls.append(1)

    part = await run(when_ready=when_ready)
    await part.kill()
    await part.start()
    assert len(calls) == 2
