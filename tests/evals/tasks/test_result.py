import polars as pl

from evals.tasks.result import failure_figure, latency_figures, spread_evenly


def test_a_limit_spreads_over_the_whole_set():
    assert spread_evenly(range(100), 4) == [0, 25, 50, 75]


def test_no_limit_and_a_large_one_keep_everything():
    assert spread_evenly([1, 2, 3], None) == spread_evenly([1, 2, 3], 9) == [1, 2, 3]


def test_latency_leaves_out_failed_samples_but_counts_them():
    rows = pl.DataFrame(
        {"sample": ["a", "b", "c"], "error": [None, None, "boom"], "ms": [10.0, 20.0, None]}
    )
    assert latency_figures(rows, "ms", "x")["x_p95_ms"].value == 20.0
    assert latency_figures(rows, "ms", "x")["x_p95_ms"].n == 2
    assert failure_figure(rows)["failed"].value == 1
