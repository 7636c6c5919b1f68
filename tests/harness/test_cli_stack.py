"""The commands that talk to a running stack, over one that `harness up` runs."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.local.environment import without_ours
from harness.local.supervisor import running_settings

pytestmark = [pytest.mark.xdist_group("cli-stack"), pytest.mark.timeout(300)]

COMMAND = [sys.executable, "-m", "harness.cli"]


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("stack") / "home"


@pytest.fixture(scope="module")
def env(home):
    fast = "simulated?ttft_ms=5&itl_ms=1&tokens=12"
    return {**without_ours(), "HARNESS_HOME": str(home), "HARNESS_MODEL": fast}


@pytest.fixture(scope="module")
def up(env):
    """The output lines of a running `harness up`."""
    process = subprocess.Popen(
        [*COMMAND, "up", "--any-port", "--quiet"], env=env, stdout=subprocess.PIPE, text=True
    )
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("ready"):
            break
    yield process, lines
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


@pytest.fixture
def harness(up, env):
    def run(*arguments, stdin=""):
        return subprocess.run(
            [*COMMAND, *arguments], env=env, input=stdin, capture_output=True, text=True
        )

    return run


def test_up_says_where_everything_is(up, home):
    _, lines = up
    settings = running_settings(home)
    assert any(settings.api_url in line for line in lines)
    assert lines[-1].startswith("ready")


def test_a_smoke_message_goes_through_every_stage(harness):
    done = harness("doctor", "--smoke", "--json")
    stages = json.loads(done.stdout)
    assert [stage["name"] for stage in stages] == [
        "pipeline", "api", "token", "thread", "ack", "event accepted", "run began", "first delta",
        "completed",
    ]  # fmt: skip
    assert all(stage["ok"] for stage in stages)
    assert done.returncode == 0


def test_a_smoke_message_that_fails_says_where_and_why(harness):
    done = harness("doctor", "--smoke", "--text", "[[fault server_error {\"times\": 99}]]",
                   "--timeout", "4")  # fmt: skip
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].startswith("FAIL")
    assert "Traceback" not in done.stdout + done.stderr


def test_doctor_finds_every_part_of_a_running_stack(harness):
    done = harness("doctor", "--json")
    states = {finding["part"]: finding["state"] for finding in json.loads(done.stdout)}
    assert set(states.values()) == {"ok"}, done.stdout
    assert done.returncode == 0


def test_chat_streams_an_answer_and_ends_with_its_input(harness):
    done = harness("chat", stdin="[[say The lamp is green.]]\n")
    assert "The lamp is green." in done.stdout
    assert (done.returncode, done.stderr) == (0, "")


def test_chat_asks_for_an_approval_and_goes_on(harness, home):
    text = 'Write the file note.txt [[call write_file {"path": "note.txt", "content": "moss"}]]'
    done = harness("chat", stdin=f"{text}\ny\n")
    assert "[y/N]" in done.stdout, done.stdout
    assert "write_file succeeded" in done.stdout
    assert (home / "workspace" / "note.txt").read_text() == "moss"


def test_a_denied_call_does_not_run(harness, home):
    text = 'Write the file no.txt [[call write_file {"path": "no.txt", "content": "moss"}]]'
    done = harness("chat", stdin=f"{text}\nn\n")
    assert "write_file denied" in done.stdout
    assert not (home / "workspace" / "no.txt").exists()


def test_a_question_that_nobody_is_there_to_answer_stops_the_message(harness):
    text = 'Write the file nobody.txt [[call write_file {"path": "x.txt", "content": "moss"}]]'
    done = harness("chat", stdin=f"{text}\n")
    assert "stopped" in done.stdout
    assert done.returncode == 0


def test_chat_says_why_a_message_is_not_taken(harness):
    done = harness("chat", "--model", "no-such-model", stdin="hello\n")
    assert "no-such-model" in done.stdout
    assert done.returncode == 0


def test_chat_in_a_thread_that_is_not_ones_own_is_refused(harness):
    done = harness("chat", "--thread", "unknown", stdin="hello\n")
    assert "not sent" in done.stdout


def test_a_folder_is_indexed_and_what_can_not_be_read_is_named(harness, tmp_path):
    (tmp_path / "kites.md").write_text("# Kites\n\nFly them high.\n")
    (tmp_path / "broken.txt").write_bytes(b"caf\xe9")
    first, again = (harness("index", str(tmp_path)) for _ in range(2))
    assert "1 new, 0 changed, 0 unchanged, 0 removed, 1 skipped; 1 chunks" in first.stdout
    assert "skipped broken.txt: is not UTF-8 at byte 3" in first.stdout
    assert "0 new, 0 changed, 1 unchanged" in again.stdout
    assert (first.returncode, again.returncode) == (1, 1)
    (tmp_path / "broken.txt").unlink()
    assert harness("index", str(tmp_path)).returncode == 0


def test_memory_is_indexed_again_and_says_how_much(harness):
    harness("chat", "--user", "user_reindexed", stdin="[[say The lamp is green.]]\n")
    done = harness("reindex", "--user", "user_reindexed", "--drop-old")
    assert "in 1 threads of 1 users" in done.stdout, done.stdout + done.stderr
    assert "0 old collections removed" in done.stdout
    assert (done.returncode, done.stderr) == (0, "")


def test_a_second_stack_in_the_home_is_refused_in_one_line(harness, up):
    done = harness("up")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f"process {up[0].pid}" in done.stderr


def test_ctrl_c_stops_an_answer_and_not_the_chat(up, env):
    chat = subprocess.Popen(
        [*COMMAND, "chat", "--model", "simulated?ttft_ms=0&itl_ms=40&tokens=5000"],
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    with chat:
        chat.stdin.write(b"hello\n")
        chat.stdin.flush()
        seen = b""
        while b"Simulated answer" not in seen:
            seen += os.read(chat.stdout.fileno(), 4096)
        chat.send_signal(signal.SIGINT)
        while b"\nstopped\n" not in seen:
            seen += os.read(chat.stdout.fileno(), 4096)
        rest, _ = chat.communicate(b"\n", timeout=60)
    assert chat.returncode == 0, rest


def test_stopping_leaves_no_process_behind(up, home):
    process, _ = up
    pids = [part["pid"] for part in json.loads((home / "stack.json").read_text())["parts"].values()]
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert out.endswith("stopped\n")
    assert process.returncode == 0
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    assert not (home / "stack.json").exists()
