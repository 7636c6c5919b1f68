"""Counting tokens as the model that is asked counts them, offline."""

import logging
from functools import lru_cache
from typing import Any, Protocol

from bpe_openai import _bindings

from harness.errors import HarnessError
from harness.settings import LOCAL_MODEL, SIMULATED_MODEL

log = logging.getLogger(__name__)

# What a chat template adds around each message, and before the answer: 5 and 3 in ChatML (SmolLM2,
# Qwen), 4 and 3 at OpenAI, 5 and 4 in Llama 3's with its start token.
MESSAGE_TOKENS = 5
ANSWER_TOKENS = 4
# Other models' vocabularies are smaller than the one counted with. SmolLM2's 49,152 entries are few
# for a model of today: over 2,302 texts (prose, code, JSON, hashes) it needed 1.2 times the tokens,
# and never more than this estimate.
ESTIMATE = 1.5
SIMULATED_CHARS = 4  # a token, as the simulated server counts


class TokenCounter(Protocol):
    """Counts a text's tokens for one model."""

    def count(self, text: str) -> int:
        """How many tokens the text takes."""


@lru_cache(maxsize=8)
def token_counter(model: str) -> TokenCounter:
    """The counter of a model: exact where its tables are packaged, else an upper estimate.

    Args:
        model: its name, as a message asks for it.
    """
    name = model.rpartition("/")[2].lower()
    if name.partition("?")[0] == SIMULATED_MODEL:
        return SimulatedTokens()
    if name.startswith(("gpt-3.5", "gpt-4-")) or name == "gpt-4":
        return OpenAITokens("cl100k_base")
    if name.startswith(("gpt-", "o1", "o3", "o4")):
        return OpenAITokens("o200k_base")
    if name == LOCAL_MODEL:
        try:
            return _packaged()
        except HarnessError as error:  # its server may be another machine's
            log.warning("estimating the tokens of %s: %s", model, error)
    return EstimatedTokens()


class OpenAITokens:
    """Counts with OpenAI's own tables.

    Args:
        encoding: the table's name.
    """

    def __init__(self, encoding: str) -> None:
        self._encoding = _encoding(encoding)

    def count(self, text: str) -> int:
        """How many tokens the text takes."""
        exact: int = self._encoding.count(_unicode(text))
        return exact


class EstimatedTokens:
    """An upper estimate for a model whose tables are not at hand.

    Digits count one by one, as many models split them, and what is not ASCII by its bytes: no
    model that falls back to bytes needs more.
    """

    def __init__(self) -> None:
        self._encoding = _encoding("o200k_base")

    def count(self, text: str) -> int:
        """How many tokens the text takes at most."""
        if not text:
            return 0
        text = _unicode(text)
        extra = 0 if text.isascii() else sum(len(c.encode()) for c in text if not c.isascii())
        extra += sum(map(text.count, "0123456789"))
        return int(self._encoding.count(text) * ESTIMATE) + 2 + extra


class SimulatedTokens:
    """Counts as the simulated server does."""

    def count(self, text: str) -> int:
        """How many tokens the text takes."""
        return -(-len(text) // SIMULATED_CHARS)


@lru_cache(maxsize=2)
def _encoding(name: str) -> Any:
    # The package's public face builds Python tables of 80 MB first; counting needs none.
    return _bindings.tokenizer_for_encoding(name)


def _packaged() -> TokenCounter:
    from harness.context._smollm2 import SmolLM2Tokens
    from harness.local.model import find_model

    return SmolLM2Tokens(find_model())


def _unicode(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
