"""`harness local convex` runs any project of Convex functions alone."""

import os
import subprocess
import sys
from pathlib import Path

from convex.http_client import ConvexHttpClient

PROJECT = Path(__file__).parents[3] / "harness/convex/tests/engine/fixtures/project"
READY = "convex listening on "


def test_it_serves_the_functions_of_a_folder_from_the_database_that_is_named(tmp_path):
    database = tmp_path / "own.db"
    command = [sys.executable, "-m", "harness.cli", "local", "convex", "--port", "0"]
    command += ["--functions", str(PROJECT), "--db", str(database)]
    environment = {**os.environ, "HARNESS_HOME": str(tmp_path / "home")}
    engine = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True
    )
    try:
        assert engine.stdout is not None
        line = engine.stdout.readline()
        assert line.startswith(READY), line
        client = ConvexHttpClient(line.removeprefix(READY).strip())
        client.mutation("notes:add", {"room": "alone", "rank": 1, "text": "a"})
        assert [note["rank"] for note in client.query("notes:inRoom", {"room": "alone"})] == [1.0]
        assert database.exists()
    finally:
        engine.terminate()
        engine.communicate()
    assert engine.returncode == 0
