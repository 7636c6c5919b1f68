import random
import subprocess
import sys
import time
from pathlib import Path

import polars as pl

SCRIPT = Path(__file__).parent / "interrupted.py"
SAMPLES, IN_FLIGHT = 1000, 8
KILLS = 5
TIMINGS = ["seconds"]


def _start(folder):
    folder.mkdir(exist_ok=True)
    command = [sys.executable, SCRIPT, folder, str(SAMPLES), str(IN_FLIGHT)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def _finish(folder):
    assert _start(folder).wait(60) == 0
    return pl.read_parquet(folder / "rows.parquet")


def _kill_after(folder, rows):
    """Start the run and kill it as soon as its journal holds so many rows."""
    journal = folder / "journal" / "rows.jsonl"
    process = _start(folder)
    try:
        while not journal.exists() or journal.read_bytes().count(b"\n") < rows:
            assert process.poll() is None, "the run ended before it was killed"
            time.sleep(0.001)
    finally:
        process.kill()
        process.wait()


def test_a_run_killed_five_times_and_resumed_gives_the_rows_of_an_undisturbed_one(tmp_path):
    disturbed = tmp_path / "disturbed"
    for rows in sorted(random.Random(4).sample(range(SAMPLES * 3 // 4), KILLS)):
        _kill_after(disturbed, rows)
    resumed, undisturbed = _finish(disturbed), _finish(tmp_path / "undisturbed")
    assert resumed.height == SAMPLES
    assert resumed["error"].count() > 0
    assert resumed.drop(TIMINGS).equals(undisturbed.drop(TIMINGS))
    measured = (disturbed / "measured").read_text().splitlines()
    assert SAMPLES <= len(measured) <= SAMPLES + KILLS * IN_FLIGHT
