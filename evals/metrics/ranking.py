"""Ranked retrieval against gold items, by ir-measures."""

from collections.abc import Mapping, Sequence

import ir_measures
from ir_measures import RR, R, Success, nDCG

MEASURES = {
    "recall@5": R @ 5,
    "recall@10": R @ 10,
    "hit@10": Success @ 10,
    "mrr@10": RR @ 10,
    "ndcg@10": nDCG @ 10,
}
DEPTH = 10


def ranking_scores(ranked: Sequence[str], gold: Sequence[str]) -> dict[str, float]:
    """Recall@5, recall@10, hit@10, MRR@10 and nDCG@10 of one ranking.

    Args:
        ranked: ids, best first, without duplicates.
        gold: ids that are relevant, at least one.

    Source: ir-measures over pytrec_eval, https://ir-measur.es; gains are 0 or 1.
    """
    return ranking_scores_of({"_": ranked}, {"_": gold})["_"]


def ranking_scores_of(
    ranked: Mapping[str, Sequence[str]], gold: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, float]]:
    """`ranking_scores` of many rankings by query id; a query without a ranking scores 0."""
    relevant = [
        ir_measures.Qrel(query, item, 1) for query, items in gold.items() for item in set(items)
    ]
    # trec_eval sorts by score and breaks ties by id, so the rank itself is the score.
    found = [
        ir_measures.ScoredDoc(query, item, float(len(items) - rank))
        for query, items in ranked.items()
        for rank, item in enumerate(items)
    ]
    names = {measure: name for name, measure in MEASURES.items()}
    scores = {query: dict.fromkeys(MEASURES, 0.0) for query in gold}
    for metric in ir_measures.iter_calc(list(names), relevant, found):
        scores[metric.query_id][names[metric.measure]] = float(metric.value)
    return scores
