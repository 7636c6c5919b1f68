"""The command."""

import subprocess
import sys


def run(*arguments):
    command = [sys.executable, "-m", "harness.local.inngest", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_a_database_it_cannot_use_is_one_line_and_exit_2(tmp_path):
    path = tmp_path / "text.db"
    path.write_text("no database " * 1000)
    done = run("--port", "0", "--db", str(path))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert str(path) in done.stderr


def test_a_taken_port_ends_it_with_an_error_that_names_the_port(tmp_path, local):
    local.start_engine()
    done = run("--port", str(local.port), "--db", str(tmp_path / "other.db"))
    assert done.returncode != 0
    assert str(local.port) in done.stderr
    assert "Traceback" not in done.stderr


def test_a_fallback_key_without_a_key_is_refused():
    done = run("--signing-key-fallback", "signkey-test-ab")
    assert done.returncode == 2
    assert "give both or neither" in done.stderr
