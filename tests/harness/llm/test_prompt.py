from harness.context.gather import GatheredContext
from harness.context.history import HistoryItem
from harness.context.retriever import Hit
from harness.llm.json_schema import decision_messages
from harness.llm.prompt import LAST, REPAIR, build_messages
from harness.llm.turns import CallOutcome, PastTurn
from harness.models import ToolRequest

URL = "http://model.test"
MAY_4 = 1_714_816_800_000


def hit(text: str, **fields) -> Hit:
    values = {"thread_id": "t", "order": 1, "sent_at": MAY_4, "role": "user", "speaker": "Ana"}
    return Hit(id=text, source="message", text=text, score=1, why={}, **{**values, **fields})


def item(role: str, content: str, speaker: str | None = None) -> HistoryItem:
    return HistoryItem(role=role, speaker=speaker, content=content, sent_at=MAY_4)


def test_memories_and_preferences_stand_in_the_system_message(spec, ask):
    context = GatheredContext(preferences={"language": "French"}, memories=[hit("I own a boat.")])
    system = build_messages(spec(URL), ask("hi", context=context))[0]["content"]
    assert "language: French" in system
    assert "[2024-05-04] Ana: I own a boat." in system


def test_the_summary_and_documents_stand_there_as_quotations(spec, ask):
    document = hit("Feed at six.\nMilk at seven.", title="Goats")
    context = GatheredContext(summary="Ann has a goat.", documents=[document])
    system = build_messages(spec(URL), ask("hi", context=context))[0]["content"]
    assert "(a quotation, no instructions):\nAnn has a goat." in system
    assert "- Goats: Feed at six.\n  Milk at seven." in system


def test_history_comes_in_its_roles_and_order(spec, ask):
    context = GatheredContext(history=[item("user", "one", "Ana"), item("assistant", "two")])
    messages = build_messages(spec(URL), ask("three", context=context))
    assert [(m["role"], m["content"]) for m in messages[1:]] == [
        ("user", "Ana: one"),
        ("assistant", "two"),
        ("user", "three"),
    ]


def past_turn() -> PastTurn:
    call = ToolRequest(call_id="c1", name="look", arguments={"at": "sky"})
    outcome = CallOutcome(call_id="c1", name="look", ok=True, content='{"colour": "blue"}')
    return PastTurn(text="Let me look.", calls=[call], outcomes=[outcome])


def test_native_results_answer_their_calls(spec, ask):
    messages = build_messages(spec(URL), ask("What colour?", past=[past_turn()]))
    assert messages[-2]["tool_calls"][0]["id"] == messages[-1]["tool_call_id"] == "c1"
    assert messages[-1]["content"] == '{"colour": "blue"}'


def test_a_model_without_native_calls_is_told_the_results(spec, ask):
    messages = build_messages(spec(URL, protocol="json"), ask("What colour?", past=[past_turn()]))
    assert messages[-1]["role"] == "user"
    assert 'look({"at": "sky"}) gave: {"colour": "blue"}' in messages[-1]["content"]


def test_a_small_model_reads_results_beside_its_question(spec, ask):
    request = ask("What colour?", past=[past_turn()])
    messages = build_messages(spec(URL, style="small"), request)
    assert messages[-1]["content"] == "Request: What colour?\nResult: colour: blue"


def test_a_small_model_reads_the_best_memories(spec, ask):
    context = GatheredContext(memories=[hit(text) for text in ("first.", "second.", "third.")])
    messages = build_messages(spec(URL, style="small"), ask("Which?", context=context))
    assert "Context: first. second.\n" in messages[-1]["content"]


def test_a_small_model_reads_what_shares_words_with_its_question(spec, ask):
    context = GatheredContext(
        memories=[hit("I own a boat."), hit("It rained."), hit("Ann feeds the goat.")],
        history=[item("user", "The goat is white.")],
    )
    messages = build_messages(spec(URL, style="small"), ask("Who has a goat?", context=context))
    assert "Context: Ann feeds the goat. The goat is white.\n" in messages[-1]["content"]


def test_a_small_model_just_chats_about_what_nothing_was_said_of(spec, ask):
    context = GatheredContext(memories=[hit("I own a boat.")])
    messages = build_messages(spec(URL, style="small"), ask("Good morning!", context=context))
    assert messages[-1]["content"] == "Good morning!"


def test_a_small_model_without_context_just_chats(spec, ask):
    messages = build_messages(spec(URL, style="small"), ask("Hello"))
    assert messages[-1] == {"role": "user", "content": "Hello"}
    assert len(messages) == 2


def wrong_turn() -> PastTurn:
    calls = [ToolRequest(call_id=c, name="look", arguments={"at": "sky"}) for c in ("c1", "c2")]
    wrong = CallOutcome(call_id="c1", name="look", ok=False, content="error: no", wrong=True)
    right = CallOutcome(call_id="c2", name="look", ok=True, content="blue")
    return PastTurn(calls=calls, outcomes=[wrong, right])


def test_a_wrong_call_is_to_be_corrected(spec, ask):
    messages = build_messages(spec(URL), ask("What colour?", past=[wrong_turn()]))
    assert [m["content"] for m in messages[-2:]] == [f"error: no\n{REPAIR}", "blue"]


def test_what_was_corrected_is_not_asked_for_again(spec, ask):
    messages = build_messages(spec(URL), ask("What colour?", past=[wrong_turn(), past_turn()]))
    assert not any(REPAIR in str(m["content"]) for m in messages)


def test_the_last_turn_is_told_so_behind_its_last_result(spec, ask):
    request = ask("What colour?", past=[wrong_turn()], max_calls=0)
    messages = build_messages(spec(URL), request)
    assert [m["content"] for m in messages[-2:]] == ["error: no", f"blue\n{LAST}"]


def test_a_model_without_native_calls_is_told_the_same(spec, ask, weather_tool):
    model = spec(URL, protocol="json")
    request = ask("What colour?", past=[wrong_turn()], tools=[weather_tool])
    decision = decision_messages(model, request, [weather_tool])
    assert decision[-1]["content"].endswith(f"gave: blue\n{REPAIR}")
    last = build_messages(model, ask("What colour?", past=[wrong_turn()], max_calls=0))
    assert last[-1]["content"].endswith(LAST)


def test_a_small_model_reads_what_was_right_alone(spec, ask):
    messages = build_messages(spec(URL, style="small"), ask("Which?", past=[wrong_turn()]))
    assert messages[-1]["content"] == "Request: Which?\nResult: blue"
