import asyncio

import pytest

from harness.jobs.barriers import barrier


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_BARRIERS", str(tmp_path))
    return tmp_path


async def reached(folder, name):
    async with asyncio.timeout(10):
        while not (folder / f"{name}.reached").exists():  # noqa: ASYNC110 - what is tested
            await asyncio.sleep(0.005)


async def test_it_costs_nothing_without_its_variable(tmp_path, monkeypatch):
    monkeypatch.delenv("HARNESS_BARRIERS", raising=False)
    await barrier("model-0:before")


async def test_a_place_that_is_not_armed_is_passed(folder):
    (folder / "begin:before.armed").touch()
    await barrier("model-0:before")
    assert not (folder / "model-0:before.reached").exists()


@pytest.mark.parametrize("name", ["begin:after", "key.begin:after"])
async def test_an_armed_place_is_held_until_it_is_released(folder, name):
    (folder / f"{name}.armed").touch()
    held = asyncio.create_task(barrier("begin:after", "key"))
    await reached(folder, name)
    assert not held.done()
    (folder / f"{name}.release").touch()
    await held


async def test_disarming_releases_too(folder):
    armed = folder / "begin:after.armed"
    armed.touch()
    held = asyncio.create_task(barrier("begin:after"))
    await reached(folder, "begin:after")
    armed.unlink()
    await held
