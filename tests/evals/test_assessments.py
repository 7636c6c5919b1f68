import polars as pl

from evals._assessments import own_assessments

ROWS = pl.DataFrame(
    {
        "message_key": ["a", "b"],
        "score": [1.0, 0.0],
        "score_rubric": [1.0, None],
        "rubric_reasons": [["It says so.", "It is brief."], []],
        "error": [None, "ended failed: no model"],
        "expected": ["two", None],
    }
)


def of(judge: str | None) -> dict:
    found = own_assessments("r" * 32, ROWS, ("score", "score_rubric"), judge)
    return {(key, each.name): each for key, listed in found.items() for each in listed}


def test_what_a_judge_said_is_the_judges_with_its_reasons():
    rubric = of("strict")["a", "score_rubric"]
    assert (rubric.source.source_type, rubric.source.source_id) == ("LLM_JUDGE", "strict")
    assert rubric.rationale == "It says so. It is brief."


def test_what_rules_say_is_the_codes_and_a_failure_says_why():
    found = of("strict")
    assert found["a", "score"].source.source_type == "CODE"
    assert found["a", "score"].rationale is None
    assert found["b", "score"].rationale == "ended failed: no model"
    assert ("b", "score_rubric") not in found
