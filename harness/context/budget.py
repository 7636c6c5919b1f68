"""Sharing a limited number of tokens out."""

from collections.abc import Sequence

from harness.context.tokens import TokenCounter

CUT_MARK = " […]"


class Budget:
    """A number of tokens that sections take from, greedily and in turn."""

    def __init__(self, total: int) -> None:
        self.total = max(0, total)
        self.taken: dict[str, int] = {}

    @property
    def left(self) -> int:
        """The tokens that nothing has taken yet."""
        return self.total - sum(self.taken.values())

    def take(self, section: str, costs: Sequence[int], share: float = 1.0) -> list[int]:
        """Take what fits, in the order given; an item that does not fit is passed over.

        Args:
            section: who takes.
            costs: tokens of each item, the most wanted first.
            share: of the total, that the section may hold after this.

        Returns:
            The indexes of the items taken.
        """
        had = self.taken.get(section, 0)
        room = min(self.left, int(self.total * share) - had)
        kept = []
        for index, cost in enumerate(costs):
            if cost <= room:
                kept.append(index)
                room -= cost
                had += cost
        self.taken[section] = had
        return kept


def cut(text: str, tokens: int, counter: TokenCounter, mark: str = CUT_MARK) -> str:
    """The text's start, as much as fits, marked where it was cut.

    Args:
        text: what to shorten.
        tokens: at most so many, the mark included.
        counter: what counts them.
        mark: what stands at the cut.
    """
    if counter.count(text) <= tokens:
        return text
    low, high = 0, len(text)
    while low < high:
        # Longer starts are tried one doubling at a time: counting a whole book to show a line of it
        # takes longer than all the rest.
        middle = min((low + high + 1) // 2, 2 * low + 64)
        if counter.count(text[:middle] + mark) <= tokens:
            low = middle
        else:
            high = middle - 1
    return text[:low] + mark if low else ""
