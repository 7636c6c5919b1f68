"""How parts are run."""

from pathlib import Path

from harness.local.environment import settings_from
from harness.local.inngest.__main__ import parse_options
from harness.local.parts import inngest_command

DATABASE = Path("some.db")


def options_of(environment):
    command = inngest_command(settings_from(environment), 8300, DATABASE)
    return parse_options(command[3:])  # after `python -m harness.local.inngest`


def test_the_inngest_engine_gets_what_the_environment_says_by_its_options():
    port, options = options_of(
        {
            "HARNESS_INNGEST_BACKOFF_MS": "50",
            "HARNESS_INNGEST_RETENTION_HOURS": "1.5",
            "HARNESS_SQLITE_SYNCHRONOUS": "NORMAL",
        }
    )
    assert (port, options.db, options.backoff_ms) == (8300, DATABASE, 50)
    assert (options.retention_ms, options.synchronous) == (5_400_000, "NORMAL")


def test_without_them_it_keeps_inngests_own_backoff_and_what_survives_a_power_cut():
    _, options = options_of({})
    assert (options.backoff_ms, options.synchronous) == (None, "FULL")
    assert options.retention_ms == 168 * 3_600_000
