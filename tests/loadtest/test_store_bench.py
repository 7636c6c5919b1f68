"""The bench of the Convex engine, small: it drives real processes over real sockets."""

import pytest

from harness.errors import HarnessError
from loadtest.bench.goals import STORE_GOALS, judge
from loadtest.bench.store.bench import Sizes, bench_store
from loadtest.bench.store.command import store
from loadtest.bench.store.scripts import Generator, run_script

SMALL = Sizes(
    documents=(100, 1000),
    seeded=200,
    doubled=100,
    rounds=1,
    block_s=0.1,
    subscriptions=(1, 3),
    rate=50,
    seconds=1,
    starts=1,
)
CALLS = ("reads_per_s", "pages_per_s", "mutations_per_s_1", "mutations_per_s_16")


async def test_every_size_is_measured_and_the_largest_is_meant_where_none_is_named(tmp_path):
    said = []
    found = await bench_store(tmp_path, SMALL, say=said.append)
    for call in CALLS:
        for size in ("100", "1k"):
            assert found[f"{call}_{size}"].value > 0
            assert found[f"ws_{call}_{size}"].value > 0
    assert found["mutations_per_s_16"] == found["mutations_per_s_16_1k"]
    ratio = found["reads_per_s_1k"].value / found["reads_per_s_100"].value
    assert found["reads_per_s_largest_over_smallest"].value == pytest.approx(ratio)
    # A pushed result may bring several writes, but every write is seen.
    assert found["seen_p95_ms_3_1k"].n == SMALL.rate * SMALL.seconds
    assert len(list(judge(found, STORE_GOALS))) == 2  # those of other sizes are not there
    assert found["push_p95_ms_3"] == found["push_p95_ms_3_1k"]
    for size in ("100", "1k"):
        assert found[f"start_ms_{size}"].value > 0
        assert found[f"memory_mb_{size}"].value > 0
        assert found[f"import_s_{size}"].value > 0
    assert found["database_mb_1k"].value > found["database_mb_100"].value
    assert found["seed_s_200"].n == SMALL.seeded
    double = found["convex_test_reads_per_s_100"].value
    ratio = found["reads_per_s_100"].value / double
    assert found["reads_over_convex_test_100"].value == pytest.approx(ratio)
    assert "convex_test_reads_per_s_1k" not in found
    assert said[0] == "importing 100 documents"


async def test_an_engine_that_is_not_there_is_told(tmp_path, free_port):
    async with Generator(tmp_path / "generator.log") as generator:
        with pytest.raises(HarnessError, match=r"the load \(fill\) failed: .*ECONNREFUSED"):
            await generator.ask("fill", url=f"http://127.0.0.1:{free_port()}", documents=10)


async def test_a_script_that_fails_is_told_with_its_reason(tmp_path):
    with pytest.raises(HarnessError, match=r"engine/main.ts failed: .*there is no database"):
        await run_script("engine/main.ts", "--db", str(tmp_path / "none.db"), "--export", "x")


@pytest.mark.parametrize("given", ["0,10", "-5", "many"])
@pytest.mark.parametrize("option", ["documents", "subscriptions"])
def test_counts_that_make_no_sense_are_told_before_anything_starts(option, given):
    with pytest.raises(HarnessError, match=f"--{option} is '{given}'"):
        store(**{option: given})
