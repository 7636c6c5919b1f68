from hypothesis import given, settings
from hypothesis import strategies as st

from harness.context.assembly import LINE_TOKENS, GatheredContext, assemble
from harness.context.history import HistoryItem
from harness.context.retriever import Hit

LENGTHS = st.lists(st.integers(1, 60), max_size=8)


class WordCounter:
    def count(self, text):
        return len(text.split())


def words(count):
    return " ".join(["word"] * count)


def item(number, length):
    return HistoryItem(
        role="user", speaker=None, content=words(length), sent_at=number, id=f"m{number}"
    )


def hit(number, length, source="message"):
    return Hit(
        **{"id": f"{source[0]}{number}", "source": source, "text": words(length), "score": 1.0},
        **{"thread_id": "t", "order": number, "sent_at": number, "role": "user", "why": {}},
    )


@st.composite
def contexts(draw):
    history, memories, documents, preferences = (draw(LENGTHS) for _ in range(4))
    return GatheredContext(
        history=[item(i, length) for i, length in enumerate(history)],
        memories=[hit(i + 4, length) for i, length in enumerate(memories)],
        documents=[hit(i, length, "document") for i, length in enumerate(documents)],
        preferences={f"k{i}": words(length) for i, length in enumerate(preferences)},
        summary=words(draw(st.integers(0, 60))),
    )


@given(st.integers(-20, 400), contexts(), st.integers(0, 6))
@settings(max_examples=300)
def test_any_mixture_fits_and_is_accounted_for(total, found, most):
    shown = assemble(total, found, WordCounter(), most)
    assert sum(shown.tokens.values()) <= max(0, total)
    assert len(shown.memories) <= most
    assert shown.left_out["preferences"] == len(found.preferences) - len(shown.preferences)
    assert shown.left_out["documents"] == len(found.documents) - len(shown.documents)
    assert shown.left_out["summary"] == bool(found.summary) - bool(shown.summary)
    remembered = {each.id for each in shown.memories} & {each.id for each in found.history}
    assert shown.left_out["history"] == len(found.history) - len(shown.history) - len(remembered)


@given(st.integers(0, 400), contexts())
@settings(max_examples=300)
def test_something_is_shown_when_something_fits(total, found):
    shown = assemble(total, found, WordCounter())
    lines = [each.content for each in found.history]
    lines += [f"{key}: {value}" for key, value in found.preferences.items()]
    lines += [each.text for each in found.memories]
    fits = any(len(line.split()) + LINE_TOKENS <= total for line in lines)
    longest = int(total * 0.4)  # a longer line is cut; half of it may still be too much
    if fits and any(len(line.split()) <= longest for line in lines):
        assert shown.history or shown.preferences or shown.memories or shown.documents


@given(st.integers(0, 400), contexts())
def test_no_message_is_shown_twice(total, found):
    shown = assemble(total, found, WordCounter())
    ids = [each.id for each in [*shown.history, *shown.memories]]
    assert len(ids) == len(set(ids))


@given(st.integers(0, 400), st.integers(0, 400), contexts())
def test_what_was_left_out_before_counts_on(first, second, found):
    once = assemble(first, found, WordCounter())
    twice = assemble(second, once, WordCounter())
    for section, left_out in once.left_out.items():
        assert twice.left_out[section] >= left_out


@given(contexts())
def test_with_room_for_everything_nothing_is_cut(found):
    shown = assemble(10_000, found, WordCounter())
    assert (shown.history, shown.preferences) == (found.history, found.preferences)
    assert (shown.summary, shown.documents) == (found.summary, found.documents)


def test_each_section_has_its_part_when_all_are_long():
    found = GatheredContext(
        history=[item(i, 30) for i in range(20)],
        memories=[hit(i, 30) for i in range(100, 120)],
        documents=[hit(i, 300, "document") for i in range(5)],
        preferences={f"k{i}": words(30) for i in range(20)},
        summary=words(500),
    )
    shown = assemble(1000, found, WordCounter())
    assert shown.history
    assert shown.memories
    assert shown.documents
    assert shown.preferences
    assert shown.summary


def test_the_best_and_the_newest_are_kept():
    found = GatheredContext(
        history=[item(i, 30) for i in range(20)], memories=[hit(i, 30) for i in range(100, 120)]
    )
    shown = assemble(500, found, WordCounter())
    assert [each.id for each in shown.history] == [f"m{i}" for i in range(20)][
        -len(shown.history) :
    ]
    assert [each.order for each in shown.memories] == list(range(100, 100 + len(shown.memories)))
