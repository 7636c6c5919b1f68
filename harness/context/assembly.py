"""Which of everything that was gathered is shown, within a number of tokens."""

from collections.abc import Iterable

from pydantic import BaseModel

from harness.context.budget import Budget, cut
from harness.context.history import HistoryItem
from harness.context.retriever import Hit
from harness.context.tokens import MESSAGE_TOKENS, TokenCounter

# What each section may take at first; what is left then goes round once more. Memories come between
# the two and take what they need: at least 0.15 is left for them, and five usual ones take that.
PREFERENCES_SHARE = 0.1  # one line each; whoever keeps pages of them gets the rest of the budget
SUMMARY_SHARE = 0.15
HISTORY_SHARE = 0.35  # the last exchanges are what a message refers to most often
DOCUMENTS_SHARE = 0.25  # at least one piece of a document has its place, cut if it must be
LONGEST_SHARE = 0.4  # a longer item is cut, so that one does not push out all others
LINE_TOKENS = 2 * MESSAGE_TOKENS  # date, dash and line break of a quotation


class GatheredContext(BaseModel):
    """What a model is shown beside the message; `tokens` and `left_out` are by section."""

    history: list[HistoryItem] = []
    preferences: dict[str, str] = {}
    summary: str = ""
    memories: list[Hit] = []
    documents: list[Hit] = []
    tokens: dict[str, int] = {}
    left_out: dict[str, int] = {}


class _Section:
    """Items of one kind, the most wanted first, and which of them were taken."""

    def __init__(self, budget: Budget, name: str, costs: Iterable[int]) -> None:
        self._budget = budget
        self._name = name
        self._costs = list(costs)
        self.taken: list[int] = []

    def take(self, share: float = 1.0, but: Iterable[int] = ()) -> None:
        """Take what fits of what is not taken yet, apart from some."""
        passed = {*self.taken, *but}
        rest = [i for i in range(len(self._costs)) if i not in passed]
        costs = [self._costs[i] for i in rest]
        self.taken += [rest[i] for i in self._budget.take(self._name, costs, share)]

    @property
    def left_out(self) -> int:
        """How many were not taken."""
        return len(self._costs) - len(self.taken)


def assemble(
    total: int, found: GatheredContext, counter: TokenCounter, most_memories: int | None = None
) -> GatheredContext:
    """Choose what is shown.

    A message is shown once, in the history or as a memory. What was left out before counts on.

    Args:
        total: tokens to share out.
        found: all there is; history oldest first, memories and documents best first.
        counter: counts tokens as the model does.
        most_memories: how many memories at most.
    """
    budget = Budget(total)
    longest = int(budget.total * LONGEST_SHARE)

    def line(text: str) -> int:
        return counter.count(text) + LINE_TOKENS

    known = [(key, cut(value, longest, counter)) for key, value in found.preferences.items()]
    told = int(budget.total * SUMMARY_SHARE) - LINE_TOKENS
    summary = [text] if (text := cut(found.summary, told, counter)) else []
    newest = [_cut_item(item, longest, counter) for item in reversed(found.history)]
    piece = int(budget.total * DOCUMENTS_SHARE) - LINE_TOKENS
    pieces = [_cut_hit(hit, piece, counter) for hit in found.documents]

    preferences = _Section(budget, "preferences", [line(f"{key}: {value}") for key, value in known])
    sums = _Section(budget, "summary", map(line, summary))
    history = _Section(budget, "history", [line(_said(item)) for item in newest])
    documents = _Section(budget, "documents", [line(_titled(hit)) for hit in pieces])
    preferences.take(PREFERENCES_SHARE)
    sums.take(SUMMARY_SHARE)
    history.take(HISTORY_SHARE)
    documents.take(DOCUMENTS_SHARE)

    shown = {newest[i].id for i in history.taken}
    wanted = [hit for hit in found.memories if hit.id not in shown][:most_memories]
    wanted = [_cut_hit(hit, longest, counter) for hit in wanted]
    memories = _Section(budget, "memories", [line(_titled(hit)) for hit in wanted])
    memories.take()
    remembered = {wanted[i].id for i in memories.taken}
    twice = [i for i, item in enumerate(newest) if item.id in remembered]
    history.take(but=twice)
    for section in (documents, preferences):
        section.take()
    left_out = {
        "preferences": preferences.left_out,
        "summary": int(bool(found.summary) and not sums.taken),
        "history": history.left_out - len(twice),
        "memories": memories.left_out,
        "documents": documents.left_out,
    }
    return GatheredContext(
        history=[newest[i] for i in sorted(history.taken, reverse=True)],
        preferences=dict(known[i] for i in sorted(preferences.taken)),
        summary=summary[0] if sums.taken else "",
        memories=[wanted[i] for i in memories.taken],
        documents=[pieces[i] for i in sorted(documents.taken)],
        tokens=budget.taken,
        left_out={name: n + found.left_out.get(name, 0) for name, n in left_out.items()},
    )


def _cut_item(item: HistoryItem, tokens: int, counter: TokenCounter) -> HistoryItem:
    return item.model_copy(update={"content": cut(item.content, tokens, counter)})


def _cut_hit(hit: Hit, tokens: int, counter: TokenCounter) -> Hit:
    return hit.model_copy(update={"text": cut(hit.text, tokens, counter)})


def _said(item: HistoryItem) -> str:
    return f"{item.speaker or ''} {item.content}"


def _titled(hit: Hit) -> str:
    return f"{hit.title or hit.speaker or ''} {hit.text}"
