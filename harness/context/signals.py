"""What speaks for a message as an answer to a query: one array of scores a signal."""

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from harness.context.analysis import asks_for_time, terms
from harness.context.corpus import Corpus
from harness.context.fusion import Scores, min_max, smooth, strength


class Recipe(BaseModel):
    """How the signals are worked out; README.md says what each was measured to bring."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # What a message gets of its neighbours' lexical and dense scores, by their offset.
    kernel: dict[int, float] = {-2: 0.3, -1: 0.2, 0: 1.0, 1: 0.1, 2: 0.1}
    # The share of the most that a query's words could score, from which on words count whole.
    full_match: float = 0.4
    session_k1: float = 1.5
    session_b: float = 0.4
    nearest: int = 200  # messages whose similarity is asked of Chroma


def message_signals(
    query: str, corpus: Corpus, dense: Scores, within: NDArray[np.bool_], recipe: Recipe
) -> dict[str, Scores]:
    """Every signal for every message, each about 0–1, float32 [messages].

    Args:
        query: what is searched for.
        corpus: the messages; its lock is held.
        dense: cosine to the query, NaN where it is not known.
        within: which messages may be retrieved.
        recipe: how.

    Returns:
        `lexical` and `dense` (shared with neighbours), `session` (the whole session's BM25),
        `thread` (the best `dense` of the whole thread), `length` and `question` (what a message is
        like, whatever is asked), `timed` (it names a time, where the query asks for one).
    """
    query_terms = terms(query)
    lexical = corpus.lexical.score(query_terms)
    words = strength(lexical, within, recipe.full_match * corpus.lexical.ceiling(query_terms))
    by_session = corpus.lexical.score_groups(
        query_terms, corpus.sessions, recipe.session_k1, recipe.session_b
    )
    near = smooth(min_max(dense, within), corpus.neighbours, recipe.kernel)
    return {
        "lexical": smooth(words * min_max(lexical, within), corpus.neighbours, recipe.kernel),
        "dense": near,
        "session": words * min_max(by_session[corpus.sessions], within),
        "thread": _best_of_group(near, corpus.threads),
        "length": corpus.lengths,
        "question": corpus.questions,
        "timed": corpus.timed * np.float32(asks_for_time(query)),
    }


def _best_of_group(scores: Scores, groups: NDArray[np.int64]) -> Scores:
    """The best score of each document's group as a share of the best of all, 0–1."""
    scored = np.flatnonzero(scores)
    bests = np.zeros(int(groups.max(initial=0)) + 1, np.float32)
    np.maximum.at(bests, groups[scored], scores[scored])
    highest = float(bests.max())
    return np.asarray(bests[groups] / np.float32(highest or 1))
