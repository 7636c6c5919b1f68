from evals.datasets.overlap import content_stems, shared_stems


def test_function_words_and_case_do_not_count():
    assert content_stems("When did THEY do it to you?") == frozenset()


def test_inflected_words_share_a_stem():
    assert shared_stems("Where do we practise?", ["unrelated", "She practises at lunch"]) == {
        "practis"
    }


def test_different_words_for_one_thing_share_nothing():
    assert not shared_stems("Which dairy is bad for me?", ["goat's milk gives me hives"])
