import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.context.gather import GatheredContext
from harness.context.history import HistoryItem
from harness.context.retriever import Hit
from harness.context.tokens import token_counter
from harness.llm.errors import PromptTooLong
from harness.llm.fitting import MESSAGE_CUT, fit, needed, turn_prompts
from harness.llm.models import ModelSpec
from harness.llm.turns import CallOutcome, PastTurn, TurnRequest
from harness.models import ToolRequest
from harness.settings import LOCAL_MODEL
from harness.tools.registry import Example, ToolSpec

COUNTERS = [token_counter(name) for name in ("gpt-4o", LOCAL_MODEL, "unknown", "simulated")]
SENTENCE = "Ann paid 1,234.50 € for the goat's new fence on 4 May — don't tell Zoë! "


def words(length):
    return (SENTENCE * (length // len(SENTENCE) + 1))[:length]


def spec(context_tokens=8192, **fields):
    values = {"name": "m", "model": "m", "base_url": "http://model.test", "provider": "simulated"}
    return ModelSpec(**values, context_tokens=context_tokens, **{"max_output_tokens": 64, **fields})


def hit(number, length, source="message"):
    return Hit(
        **{"id": f"{source}{number}", "source": source, "text": words(length), "score": 1.0},
        **{"thread_id": "t", "order": number, "sent_at": 0, "role": "user", "why": {}},
        title="Goats" if source == "document" else None,
    )


def tool(number, length):
    return ToolSpec(
        name=f"tool_{number}",
        description=words(length),
        parameters={"type": "object", "properties": {"text": {"type": "string"}}},
        examples=[Example(request=words(length), arguments={"text": "é"})],
    )


def past_turn(number, length):
    call = ToolRequest(call_id=f"c{number}", name="tool_0", arguments={"text": words(length // 3)})
    outcome = CallOutcome(
        call_id=call.call_id, name="tool_0", ok=True, content=json.dumps({"found": words(length)})
    )
    return PastTurn(text=words(length // 10), calls=[call], outcomes=[outcome])


LENGTHS = st.lists(st.integers(0, 2000), max_size=5)


@st.composite
def requests(draw):
    history, memories, documents, preferences, tools, past = (draw(LENGTHS) for _ in range(6))
    context = GatheredContext(
        history=[
            HistoryItem(role="user", speaker="Zoë", content=words(n), sent_at=i, id=f"h{i}")
            for i, n in enumerate(history)
        ],
        memories=[hit(i, n) for i, n in enumerate(memories)],
        documents=[hit(i, n, "document") for i, n in enumerate(documents)],
        preferences={f"k{i}": words(n) for i, n in enumerate(preferences)},
        summary=words(draw(st.integers(0, 2000))),
    )
    return TurnRequest(
        text=words(draw(st.integers(1, 12_000))),
        context=context,
        tools=[tool(i, n) for i, n in enumerate(tools)],
        past=[past_turn(i, n) for i, n in enumerate(past)],
    )


STYLES = st.sampled_from(
    [{"protocol": "native"}, {"protocol": "json"}, {"protocol": "json", "style": "small"}]
)


@given(requests(), st.integers(700, 5000), STYLES, st.sampled_from(COUNTERS))
@settings(max_examples=100, deadline=None)
def test_no_prompt_ever_exceeds_its_models_window(request, window, style, counter):
    model = spec(window, **style)
    fitted = fit(model, request, counter)
    longest = max(prompt.tokens(counter) for prompt in turn_prompts(model, fitted.request))
    assert needed(model, fitted.request, counter) <= window
    assert longest <= fitted.record.budget == window - model.max_output_tokens
    assert fitted.request.text


@given(requests(), st.integers(700, 5000), STYLES)
@settings(max_examples=60, deadline=None)
def test_the_record_accounts_for_every_token_and_item(request, window, style):
    counter = token_counter("gpt-4o")
    model = spec(window, **style)
    fitted = fit(model, request, counter)
    told, record = fitted.request, fitted.record
    longest = max(prompt.tokens(counter) for prompt in turn_prompts(model, told))
    assert sum(record.tokens.values()) == longest
    assert record.left_out["tools"] == len(request.tools) - len(told.tools)
    assert (record.left_out["message"] > 0) == (told.text != request.text)
    whole = [outcome for turn in request.past for outcome in turn.outcomes]
    kept = [outcome for turn in told.past for outcome in turn.outcomes]
    assert record.left_out["results"] == len(whole) - sum(each in whole for each in kept)
    for section in ("memories", "documents", "preferences"):
        missing = len(getattr(request.context, section)) - len(getattr(told.context, section))
        assert record.left_out.get(section, 0) == missing


@given(requests(), STYLES)
@settings(max_examples=30, deadline=None)
def test_nothing_is_left_out_when_everything_fits(request, style):
    fitted = fit(spec(1_000_000, **style), request, token_counter("gpt-4o"))
    assert fitted.request == request
    assert not any(fitted.record.left_out.values())


@given(requests(), st.integers(700, 5000))
@settings(max_examples=60, deadline=None)
def test_the_message_is_cut_only_when_it_does_not_fit_alone(request, window):
    counter = token_counter("gpt-4o")
    model = spec(window)
    alone = TurnRequest(text=request.text, context=GatheredContext())
    fitted = fit(model, request, counter)
    if needed(model, alone, counter) <= window:
        assert fitted.request.text == request.text
    else:
        assert fitted.request.text.endswith(MESSAGE_CUT)
        assert request.text.startswith(fitted.request.text.removesuffix(MESSAGE_CUT))


SHORT = TurnRequest(
    text="Hi",
    context=GatheredContext(
        history=[HistoryItem(role="user", speaker=None, content="old", sent_at=0, id="h")],
        memories=[hit(1, 60)],
        preferences={"tone": "dry"},
        summary="They met.",
    ),
    tools=[tool(0, 60)],
    past=[past_turn(0, 60)],
)


@pytest.mark.parametrize("section", ["tools", "results", "history", "memories", "preferences"])
def test_a_section_that_fits_beside_what_does_not_is_not_empty(section):
    huge = 9000
    request = TurnRequest(
        text="Hi",
        context=SHORT.context.model_copy(
            update={"documents": [hit(i, huge, "document") for i in range(9)]}
        ),
        tools=[*SHORT.tools, *(tool(i, huge) for i in range(1, 5))],
        past=[past_turn(1, huge), *SHORT.past],
    )
    fitted = fit(spec(2048), request, token_counter("gpt-4o")).request
    told = {"tools": fitted.tools, "results": fitted.past, **dict(fitted.context)}
    assert told[section]


def test_the_least_likely_tools_are_dropped_first():
    request = TurnRequest(
        text="Hi", context=GatheredContext(), tools=[tool(i, 1500) for i in range(9)]
    )
    fitted = fit(spec(2048), request, token_counter("gpt-4o"))
    kept = [each.name for each in fitted.request.tools]
    assert kept == [f"tool_{i}" for i in range(len(kept))]
    assert 0 < len(kept) == 9 - fitted.record.left_out["tools"]


def test_the_newest_results_are_kept_longest():
    request = TurnRequest(
        text="Hi", context=GatheredContext(), past=[past_turn(i, 1500) for i in range(5)]
    )
    fitted = fit(spec(2048), request, token_counter("gpt-4o"))
    names = [turn.calls[0].call_id for turn in fitted.request.past]
    assert names == [f"c{i}" for i in range(5)][-len(names) :]
    assert fitted.request.past[-1] == request.past[-1]
    assert fitted.record.left_out["results"] >= 2


def test_a_call_with_a_long_argument_is_still_told_with_its_result():
    call = ToolRequest(call_id="c", name="write_file", arguments={"content": words(40_000)})
    outcome = CallOutcome(call_id="c", name="write_file", ok=True, content='"written"')
    request = TurnRequest(
        text="Hi", context=GatheredContext(), past=[PastTurn(calls=[call], outcomes=[outcome])]
    )
    [turn] = fit(spec(2048), request, token_counter("gpt-4o")).request.past
    assert turn.outcomes == [outcome]
    assert turn.calls[0].arguments["content"].endswith("[cut to fit]")


def test_a_window_without_room_for_a_word_is_named():
    with pytest.raises(PromptTooLong, match="100 tokens"):
        fit(spec(100), SHORT, token_counter("gpt-4o"))
