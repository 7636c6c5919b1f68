"""Tokens: counting them, and sharing a limited number of them out."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol

from bpe_openai import _bindings

MESSAGE_TOKENS = 4  # what a chat template adds around each message
# Other models' vocabularies are smaller than the one counted with, so they need more tokens.
ESTIMATE = 1.15
CUT_MARK = " […]"


class TokenCounter(Protocol):
    """Counts a text's tokens for one model."""

    def count(self, text: str) -> int:
        """How many tokens the text takes."""


class Tokenizer:
    """Counts with OpenAI's own tables, packaged; an upper estimate for other models."""

    def __init__(self, model: str) -> None:
        name = model.rpartition("/")[2].lower()
        older = name.startswith(("gpt-3.5", "gpt-4-")) or name == "gpt-4"
        self._factor = 1.0 if name.startswith(("gpt-", "o1", "o3", "o4")) else ESTIMATE
        self._encoding = _encoding("cl100k_base" if older else "o200k_base")

    def count(self, text: str) -> int:
        """How many tokens the text takes; rounded up where it is an estimate."""
        exact: int = self._encoding.count(text.encode("utf-8", "replace").decode())
        return exact if self._factor == 1.0 else int(exact * self._factor) + 1


@lru_cache(maxsize=2)
def _encoding(name: str) -> Any:
    # The package's public face builds Python tables of 80 MB first; counting needs none.
    return _bindings.tokenizer_for_encoding(name)


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


def cut(text: str, tokens: int, counter: TokenCounter) -> str:
    """The text's start, as much as fits, marked where it was cut.

    Args:
        text: what to shorten.
        tokens: at most so many, the mark included.
        counter: what counts them.
    """
    if counter.count(text) <= tokens:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if counter.count(text[:middle] + CUT_MARK) <= tokens:
            low = middle
        else:
            high = middle - 1
    return text[:low] + CUT_MARK if low else ""
