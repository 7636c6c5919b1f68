import stat

import pytest

from harness.errors import HarnessError
from harness.local.home import SCHEMA_VERSION, Home


@pytest.fixture
def home(tmp_path):
    made = Home(tmp_path / "home")
    made.prepare()
    return made


def test_a_home_of_a_newer_version_is_refused(home):
    (home.path / "version").write_text(f"{SCHEMA_VERSION + 1}\n")
    with pytest.raises(HarnessError, match="newer"):
        home.prepare()


def test_preparing_twice_is_harmless(home):
    home.prepare()
    assert (home.path / "version").read_text().strip() == str(SCHEMA_VERSION)


def test_a_home_that_is_a_file_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(HarnessError, match="file"):
        Home(tmp_path / "file").prepare()


def test_a_secret_stays_the_same(home):
    assert home.secret("k") == home.secret("k")


def test_a_secret_is_its_owners_alone(home):
    home.secret("k")
    assert stat.S_IMODE((home.keys / "k").stat().st_mode) == 0o600


def test_two_homes_have_different_secrets(home, tmp_path):
    other = Home(tmp_path / "other")
    other.prepare()
    assert home.secret("k") != other.secret("k")


def test_a_stack_file_left_by_a_dead_stack_does_not_count(home):
    home.publish({"parts": {}})
    assert home.running_stack() is None


def test_a_locked_home_shows_its_stack(home):
    home.lock()
    home.publish({"parts": {"api": {}}})
    assert home.running_stack()["parts"] == {"api": {}}
    home.unlock()
    assert home.running_stack() is None
