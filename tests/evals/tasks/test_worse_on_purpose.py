"""A retriever that is made worse is caught by the comparison and by the gate."""

import pytest

from evals.compare import compare_runs
from evals.datasets.loader import load_conversations
from evals.gate import parse_gate
from evals.pairing import Run
from evals.tasks.retrieval import evaluate_retrieval

GATE = "recall@10 >= 0.45 and delta(recall@10) > -0.02"


@pytest.fixture
def data():
    """One conversation with all its questions."""
    whole = load_conversations("tune")
    thread = whole.questions[0].thread
    return whole.model_copy(
        update={
            "questions": tuple(item for item in whole.questions if item.thread == thread),
            "threads": {thread: whole.threads[thread]},
        }
    )


async def test_a_retriever_that_forgets_the_best_it_found_is_caught(services, data, console):
    good = await evaluate_retrieval(services, data, console=console)
    retrieve = services.memory.retrieve

    async def worse(query, k, scope):
        return (await retrieve(query, k + 3, scope))[3:]

    services.memory.retrieve = worse
    bad = await evaluate_retrieval(services, data, console=console)
    runs = [
        Run(label, label, each.document, each.rows)
        for label, each in (("A", good), ("B", bad), ("C", good))
    ]
    found = compare_runs(runs, metrics=["recall@10", "ndcg@10"])
    recall = next(item for item in found.metrics if (item.run, item.metric) == ("B", "recall@10"))
    assert recall.high < 0
    assert recall.p_holm < 0.05
    gate = parse_gate(GATE, compared=True)
    missed = gate.missed(bad.document.figures, found.gained("B"))
    assert any(line.startswith("missed: delta(recall@10) is -") for line in missed)
    assert gate.missed(good.document.figures, found.gained("C")) == []
