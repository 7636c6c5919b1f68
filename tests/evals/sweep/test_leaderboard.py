import io

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from evals.datasets.loader import DatasetInfo
from evals.figures import Figure, build_document
from evals.sweep.file import read_sweep
from evals.sweep.kept import KeptRun
from evals.sweep.leaderboard import board_figures, board_frame, frontier, standings
from evals.sweep.runs import Outcome
from evals.sweep.section import sweep_section
from evals.sweep.table import print_board

SAMPLES = [f"s{index}" for index in range(40)]


@pytest.fixture
def sweep(tmp_path):
    file = tmp_path / "budgets.toml"
    file.write_text('task = "retrieval"\n[grid]\ncontext_budget_tokens = [100, 400, 800, 1200]\n')
    return read_sweep(file)


def kept(scores, ms, tokens, cache="memory"):
    mean = sum(scores) / len(scores)
    figures = {
        "recall@10": Figure(value=mean, unit="", low=mean - 0.1, high=mean + 0.1, n=40),
        "recall@5": Figure(value=mean / 2, unit="", low=0, high=1, n=40),
        "gather_p50_ms": Figure(value=ms, unit="ms"),
        "tokens_shown": Figure(value=tokens, unit="tokens"),
        "failed": Figure(value=0, unit="samples"),
    }
    document = build_document(
        "eval retrieval",
        figures,
        {},
        engines={"embedding cache": cache},
        dataset=DatasetInfo(name="mine", sha256="a" * 64, split="tune"),
    )
    return KeptRun("id", document, pl.DataFrame({"sample": SAMPLES, "recall@10": scores}))


def outcomes_of(sweep, runs):
    return [
        Outcome(number, chosen, run if isinstance(run, KeptRun) else None, None if run else "boom")
        for number, (chosen, run) in enumerate(zip(sweep.runs, runs, strict=True), 1)
    ]


@pytest.fixture
def outcomes(sweep):
    half, good = [0.0, 1.0] * 20, [1.0] * 40
    return outcomes_of(sweep, [kept(half, 5, 100), kept(good, 9, 400), kept(good, 9, 800), None])


def test_the_best_run_comes_first_and_a_failed_one_last_with_its_reason(sweep, outcomes):
    ranked = standings(sweep, outcomes)
    assert [item.number for item in ranked] == [2, 3, 1, 4]
    assert ranked[-1].error == "boom"


def test_each_run_is_held_against_the_first_and_p_is_adjusted_for_all(sweep, outcomes):
    best, other, first, failed = standings(sweep, outcomes)
    assert best.gained.difference == 0.5
    assert best.gained.p_holm == pytest.approx(2 * best.gained.p)
    assert other.gained.p_holm == best.gained.p_holm
    assert first.gained is failed.gained is None


def test_nothing_is_gained_over_a_first_run_that_failed(sweep):
    runs = [None, *(kept([1.0] * 40, 9, 400) for _ in range(3))]
    ranked = standings(sweep, outcomes_of(sweep, runs))
    assert [item.gained for item in ranked] == [None] * 4


def test_runs_that_none_is_better_than_are_marked(sweep, outcomes):
    assert [item.on_frontier for item in standings(sweep, outcomes)] == [True, False, True, False]


def test_latency_is_no_cost_where_later_runs_found_vectors_on_disk(sweep):
    slow, quick = kept([1.0] * 40, 90, 100, "disk"), kept([0.5] * 40, 1, 100, "disk")
    ranked = standings(sweep, outcomes_of(sweep, [slow, quick, None, None]))
    assert [item.on_frontier for item in ranked] == [True, False, False, False]


def test_a_point_without_a_cost_that_others_have_is_the_dearest():
    assert frontier([(0.5, None, None), (0.5, 3.0, None)]) == [False, True]
    assert frontier([(0.5, None, None), (None, 3.0, None)]) == [True, False]


points = st.lists(st.tuples(*[st.integers(0, 4).map(float)] * 3), min_size=1, max_size=12)


@given(points)
def test_every_point_off_the_frontier_is_dominated_by_one_on_it(drawn):
    on = frontier(drawn)
    best = [point for point, is_on in zip(drawn, on, strict=True) if is_on]

    def dominates(a, b):
        return a != b and a[0] >= b[0] and a[1] <= b[1] and a[2] <= b[2]

    for point, is_on in zip(drawn, on, strict=True):
        assert any(dominates(other, point) for other in best) == (not is_on)


def test_figures_are_those_of_the_best_run_and_of_each_by_its_number(sweep, outcomes):
    figures = board_figures(sweep, standings(sweep, outcomes), 3.0)
    assert figures["recall@10"].value == 1
    assert figures["run_1.recall@10"].value == 0.5
    assert figures["run_2.tokens_shown"].value == 400
    assert (figures["runs"].value, figures["runs_failed"].value) == (4, 1)
    assert "run_4.recall@10" not in figures


def test_the_table_shows_every_run(sweep, outcomes):
    console = Console(file=io.StringIO(), width=80)
    print_board(sweep, standings(sweep, outcomes), "gather_p50_ms", console)
    printed = console.file.getvalue()
    assert "p50 ms" in printed
    for part in ("by context_budget_tokens", "0.900 – 1.100", "+0.500", "run 4 failed: boom"):
        assert part in printed
    assert " failed " not in printed.splitlines()[1]  # no sample did


def test_latency_that_says_nothing_is_left_out_of_the_table(sweep, outcomes):
    console = Console(file=io.StringIO(), width=200)
    print_board(sweep, standings(sweep, outcomes), None, console)
    printed = console.file.getvalue()
    assert "p50 ms" not in printed
    assert "latency is left out" in printed


def _section(sweep, outcomes):
    ranked = standings(sweep, outcomes)
    document = build_document(
        "sweep retrieval",
        {},
        {
            "sweep.name": sweep.name,
            "sweep.metric": sweep.metric,
            "sweep.varied": list(sweep.varied),
        },
        engines=next((each.run.document.engines for each in outcomes if each.run), {}),
    )
    return sweep_section(document, board_frame(ranked))


def test_a_sweep_is_drawn_against_latency_and_tokens_and_along_a_number(sweep, outcomes):
    latency, tokens, curve = _section(sweep, outcomes).charts
    assert latency.reading.startswith("2 of 3 runs lie on the line")
    assert "0.500 for 100.0; the best" in tokens.reading
    assert curve.reading.startswith("From context_budget_tokens 100 to 800, recall@10 goes from")


def test_a_sweep_of_which_every_run_failed_has_a_section_too(sweep):
    section = _section(sweep, outcomes_of(sweep, [None] * 4))
    assert section.charts == ()
    assert "failed: boom" in section.table.rows[0][0]
