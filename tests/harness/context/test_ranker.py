import json

import numpy as np
import pytest

from harness.context.fusion import weigh
from harness.context.ranker import (
    BY_HAND,
    SIGNALS,
    Judged,
    Ranker,
    fit_ranker,
    load_ranker,
    packaged_ranker,
)
from harness.errors import HarnessError


def _judged(rng, telling, messages=20):
    """A query whose relevant message is the one with the most of one signal."""
    signals = {name: rng.random(messages).astype(np.float32) for name in SIGNALS}
    relevant = np.zeros(messages, np.bool_)
    relevant[np.argmax(signals[telling])] = True
    return Judged(signals, relevant)


def _found(judged, weights):
    """The share of queries whose relevant message comes first."""
    firsts = [np.argmax(weigh(each.signals, weights)) for each in judged]
    return np.mean([each.relevant[first] for each, first in zip(judged, firsts, strict=True)])


@pytest.mark.parametrize("telling", SIGNALS)
def test_fitted_weights_find_more_than_those_set_by_hand(telling):
    rng = np.random.default_rng(1)
    judged = [_judged(rng, telling) for _ in range(6000)]
    fitted = fit_ranker(judged[:5000], "made up").weights
    assert _found(judged[5000:], fitted) > _found(judged[5000:], BY_HAND) + 0.05


def test_a_single_judgement_hardly_moves_what_was_set_by_hand():
    fitted = fit_ranker([_judged(np.random.default_rng(1), "session")], "one").weights
    assert all(abs(fitted[name] - weight) < 0.1 for name, weight in BY_HAND.items())


def test_queries_that_nothing_served_teach_nothing():
    rng = np.random.default_rng(1)
    taught = [_judged(rng, "dense") for _ in range(10)]
    nothing = Judged(taught[0].signals, np.zeros(20, np.bool_))
    assert fit_ranker([*taught, nothing], "x") == fit_ranker(taught, "x")


def test_nothing_to_learn_from_is_said():
    with pytest.raises(HarnessError, match="no query"):
        fit_ranker([], "nothing")


def test_a_ranker_survives_its_file(tmp_path):
    ranker = fit_ranker([_judged(np.random.default_rng(1), "dense") for _ in range(9)], "x")
    (tmp_path / "ranker.json").write_text(ranker.model_dump_json())
    assert load_ranker(tmp_path / "ranker.json") == ranker


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("not json", "json"),
        ('{"weights": {"lexical": "much"}}', "weights.lexical"),
        ('{"weights": {"charm": 1.0}}', "charm"),
        ('{"version": 2, "weights": {}}', "version"),
    ],
)
def test_a_file_that_is_no_ranker_is_refused_by_name(tmp_path, content, said):
    path = tmp_path / "ranker.json"
    path.write_text(content)
    with pytest.raises(HarnessError) as refusal:
        load_ranker(path)
    assert said in str(refusal.value).lower()
    assert "ranker.json" in str(refusal.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(HarnessError, match=r"gone\.json"):
        load_ranker(tmp_path / "gone.json")


def test_the_packaged_ranker_was_fitted_on_the_projects_own_conversations():
    packaged = packaged_ranker()
    assert set(packaged.weights) == set(SIGNALS)
    assert "conversations" in packaged.fitted_on
    assert packaged.queries > 0


def test_a_rankers_file_says_how_signals_are_worked_out():
    kept = json.loads(Ranker(weights=BY_HAND).model_dump_json())
    assert kept["recipe"]["kernel"]["0"] == 1.0
