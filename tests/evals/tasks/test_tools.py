import pytest

from evals.datasets.loader import CatalogueTool, DatasetInfo, ToolQuery, ToolSet, load_tools
from evals.plan import Plan
from evals.tasks.tools import RANKED, catalogue_specs, evaluate_tools, exemplars_of
from harness.tools.selection import ToolSelector

SCHEMA = {"type": "object", "properties": {}, "required": []}


@pytest.fixture
async def evaluation(services, console):
    return await evaluate_tools(services, load_tools("tune"), console=console, plan=Plan(limit=12))


async def test_every_agreed_figure_is_there(evaluation):
    assert {*RANKED, "abstain_precision", "abstain_recall", "ece", "seconds"} <= set(
        evaluation.document.figures
    )


async def test_ranking_is_scored_only_where_a_tool_is_needed(evaluation):
    for row in evaluation.rows.iter_rows(named=True):
        assert (row["top1"] is None) == (not row["gold"])


async def test_figures_agree_with_the_rows(evaluation):
    rows = evaluation.rows
    figures = evaluation.document.figures
    assert figures["top1"].value == pytest.approx(rows["top1"].mean())
    assert figures["top1"].n == rows["top1"].count()
    said_none = rows.filter(rows["abstained"] == 1)
    if said_none.height:
        expected = said_none["none_needed"].mean()
        assert figures["abstain_precision"].value == pytest.approx(expected)


async def test_what_is_chosen_is_what_the_production_selector_offers_first(
    evaluation, embedder, eval_settings
):
    selector = ToolSelector(embedder, catalogue_specs(load_tools("tune")))
    for row in evaluation.rows.iter_rows(named=True):
        selection = await selector.select(row["query"], eval_settings.tools_offered)
        offered = [candidate.name for candidate in selection.candidates]
        assert row["offered"] == offered
        assert row["chosen"] == (offered[0] if selection.needed else None)


async def test_exemplars_vote(services, console):
    data = ToolSet(
        info=DatasetInfo(name="two", sha256="0" * 64, split="test"),
        tools=(
            CatalogueTool(name="zx1", description="Runs procedure one.", parameters=SCHEMA),
            CatalogueTool(name="zx2", description="Runs procedure two.", parameters=SCHEMA),
        ),
        queries=(ToolQuery(id="a", split="test", text="ring the big bell", tools=("zx2",)),),
    )
    learned = [("ring the bell", "zx2"), ("shut the gate", "zx1")]
    evaluation = await evaluate_tools(services, data, console=console, exemplars=learned)
    assert evaluation.document.figures["top1"].value == 1
    assert evaluation.document.settings["eval.exemplars"] == 2


async def test_requests_much_like_an_exemplar_are_told_apart_from_the_others(services, console):
    asked = {
        "a": "Could you play some quiet jazz, please?",
        "b": "What is the weather like in Oslo?",
    }
    data = ToolSet(
        info=DatasetInfo(name="two", sha256="0" * 64, split="test"),
        tools=(
            CatalogueTool(name="music", description="Plays music.", parameters=SCHEMA),
            CatalogueTool(name="clock", description="Tells the time.", parameters=SCHEMA),
        ),
        queries=tuple(
            ToolQuery(id=name, split="test", text=text, tools=(tool,))
            for (name, text), tool in zip(asked.items(), ("music", "clock"), strict=True)
        ),
    )
    learned = [("could you play some quiet jazz please", "music"), ("what time is it", "clock")]
    evaluation = await evaluate_tools(services, data, console=console, exemplars=learned)
    near = dict(evaluation.rows.select("sample", "near_duplicate").iter_rows())
    assert near == {"a": True, "b": False}
    figures = evaluation.document.figures
    assert figures["near_duplicates"].value == 1
    assert figures["top1_unseen"].n == 1
    zero_shot = await evaluate_tools(services, data, console=console)
    assert "near_duplicate" not in zero_shot.rows.columns


def test_so_many_exemplars_of_each_tool_are_taken():
    data = load_tools("tune")
    taken = [tool for _, tool in exemplars_of(data, 2)]
    asked = [tool for query in data.queries for tool in query.tools]
    assert {tool: taken.count(tool) for tool in asked} == {
        tool: min(2, asked.count(tool)) for tool in asked
    }


async def test_a_selection_that_fails_is_wrong_in_every_count(services, console, monkeypatch):
    async def broken(*_, **__):
        raise RuntimeError("no embedder")

    monkeypatch.setattr(ToolSelector, "select", broken)
    data = ToolSet(
        info=DatasetInfo(name="two", sha256="0" * 64, split="test"),
        tools=(CatalogueTool(name="ring", description="Ring a bell.", parameters=SCHEMA),),
        queries=(
            ToolQuery(id="a", split="test", text="ring the bell", tools=("ring",)),
            ToolQuery(id="b", split="test", text="thanks", tools=()),
        ),
    )
    figures = (await evaluate_tools(services, data, console=console)).document.figures
    assert figures["failed"].value == 2
    for name in ("top1", "recall@10", "accuracy", "abstain_precision", "abstain_recall"):
        assert figures[name].value == 0
    assert figures["ece"].value == 1


async def test_two_runs_differ_in_nothing_but_timings(services, console):
    timings = ["seconds", "select_ms"]
    data = load_tools("tune")
    first = await evaluate_tools(services, data, console=console)
    second = await evaluate_tools(services, data, console=console)
    assert first.rows.drop(timings).equals(second.rows.drop(timings))


async def test_two_runs_that_learn_from_exemplars_differ_in_nothing_but_timings(services, console):
    data, learned = load_tools("test"), exemplars_of(load_tools("tune"), 3)
    first, second = [
        (
            await evaluate_tools(
                services, data, console=console, plan=Plan(limit=60), exemplars=learned
            )
        ).rows.drop("seconds", "select_ms")
        for _ in range(2)
    ]
    assert first.equals(second)


async def test_repeats_are_rows_of_their_own_and_widen_no_figure_s_certainty(services, console):
    data = load_tools("tune")
    once = await evaluate_tools(services, data, console=console, plan=Plan(limit=12))
    thrice = await evaluate_tools(services, data, console=console, plan=Plan(limit=12, repeats=3))
    # Later repeats find their requests embedded.
    assert thrice.document.figures["select_p50_ms"].n == 12
    assert thrice.rows.height == 3 * once.rows.height
    narrow, wide = (each.document.figures["accuracy"] for each in (once, thrice))
    assert (wide.value, wide.low, wide.high) == pytest.approx(
        (narrow.value, narrow.low, narrow.high), abs=0.1
    )


async def test_an_interrupted_run_is_taken_up_and_says_so(services, console, tmp_path):
    data, plan = load_tools("tune"), Plan(limit=6, journals=tmp_path / "evals")
    first = await evaluate_tools(services, data, console=console, plan=plan)
    again = await evaluate_tools(services, data, console=console, plan=plan)
    assert again.rows.equals(first.rows)
    assert "resuming with 6 rows of an earlier run, 0 failed" in console.file.getvalue()
    other = Plan(limit=5, journals=tmp_path / "evals")
    assert (await evaluate_tools(services, data, console=console, plan=other)).rows.height == 5
    assert len(list((tmp_path / "evals").iterdir())) == 2
