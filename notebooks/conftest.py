import pytest

TIMEOUT_S = 600  # a notebook starts a whole stack; the default is meant for a single test


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give notebooks more time than tests."""
    for item in items:
        if item.path.suffix == ".ipynb":
            item.add_marker(pytest.mark.timeout(TIMEOUT_S))
