"""The turns so far, shortened to a number of tokens."""

import json
from collections.abc import Sequence

from harness.context.budget import cut
from harness.context.tokens import MESSAGE_TOKENS, TokenCounter
from harness.llm.turns import CallOutcome, PastTurn
from harness.models import ToolRequest

CUT = " [cut to fit]"
ARGUMENTS_SHARE = 0.3  # of a turn's room: a file's whole content may stand in them


def past_tokens(past: Sequence[PastTurn], counter: TokenCounter) -> int:
    """What turns take in a prompt, about."""
    return sum(_frame(turn, counter) + _told(turn, counter) for turn in past)


def newest_within(
    past: Sequence[PastTurn], tokens: int, counter: TokenCounter
) -> tuple[list[PastTurn], int]:
    """The newest turns, their results cut to what there is room for.

    A turn that has no room is left out together with those before it.

    Args:
        past: oldest first.
        tokens: room for all of them.
        counter: counts tokens as the model does.

    Returns:
        The turns, and how many results were cut or left out.
    """
    kept: list[PastTurn] = []
    for turn in reversed(past):
        short = _brief(turn, int(tokens * ARGUMENTS_SHARE), counter)
        tokens -= _frame(short, counter)
        if tokens < 0:
            break
        short = short.model_copy(update={"outcomes": _cut(short.outcomes, tokens, counter)})
        tokens -= _told(short, counter)
        kept.insert(0, short)
    whole = {outcome.call_id for turn in past for outcome in turn.outcomes}
    same = {
        after.call_id
        for turn, short in zip(past[len(past) - len(kept) :], kept, strict=True)
        for before, after in zip(turn.outcomes, short.outcomes, strict=True)
        if before == after
    }
    return kept, len(whole - same)


def _frame(turn: PastTurn, counter: TokenCounter) -> int:
    """What a turn takes beside its results: its text, its calls, and what is around each."""
    calls = sum(
        counter.count(call.call_id) + counter.count(call.name + json.dumps(call.arguments)) + 20
        for call in turn.calls
    )
    return counter.count(turn.text) + calls + MESSAGE_TOKENS * (1 + len(turn.calls))


def _told(turn: PastTurn, counter: TokenCounter) -> int:
    return sum(counter.count(outcome.content) for outcome in turn.outcomes)


def _cut(outcomes: list[CallOutcome], tokens: int, counter: TokenCounter) -> list[CallOutcome]:
    """Results that fit together; short ones leave their part to those after them."""
    kept = []
    for i, outcome in enumerate(outcomes):
        content = cut(outcome.content, tokens // (len(outcomes) - i), counter, CUT)
        tokens -= counter.count(content)
        kept.append(outcome.model_copy(update={"content": content}))
    return kept


def _brief(turn: PastTurn, tokens: int, counter: TokenCounter) -> PastTurn:
    """The turn with its calls' longest arguments cut, when they would take more than `tokens`."""
    calls = [_brief_call(call, tokens // len(turn.calls), counter) for call in turn.calls]
    return turn.model_copy(update={"calls": calls})


def _brief_call(call: ToolRequest, tokens: int, counter: TokenCounter) -> ToolRequest:
    if counter.count(json.dumps(call.arguments)) <= tokens:
        return call
    each = tokens // max(1, len(call.arguments))
    texts = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in call.arguments.items()
    }
    short = {name: cut(text, each, counter, CUT) for name, text in texts.items()}
    return call.model_copy(update={"arguments": short})
