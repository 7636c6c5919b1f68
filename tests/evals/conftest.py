import pytest

from evals.tracking import connect
from harness.settings import Settings


@pytest.fixture(scope="session")
def tracked(tmp_path_factory):
    """Settings of a home with an MLflow database, which takes seconds to make."""
    settings = Settings(home=tmp_path_factory.mktemp("tracked"))
    connect(settings)
    return settings
