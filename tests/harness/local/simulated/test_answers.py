import json

import jsonschema
import pytest

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "parameters": {
                "type": "object",
                "properties": {"path": {"type": "string"}},
                "required": ["path"],
            },
        },
    }
    for name in ("view_file", "search_text")
]


def message(response):
    assert response.status_code == 200, response.text
    return response.json()["choices"][0]["message"]


def streamed(response):
    lines = [line.removeprefix("data: ") for line in response.text.split("\n\n") if line]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


async def test_an_answer_says_that_it_is_simulated(chat):
    assert message(await chat("hello"))["content"].startswith("Simulated answer:")


async def test_the_same_request_gets_the_same_answer(chat):
    first, second = await chat("hello"), await chat("hello")
    assert first.json()["choices"] == second.json()["choices"]


async def test_other_requests_get_other_answers(chat):
    assert message(await chat("hello")) != message(await chat("good morning"))


async def test_a_stream_joins_to_the_answer_given_whole(chat):
    events = streamed(await chat("hello", stream=True))
    text = "".join(event["choices"][0]["delta"].get("content", "") for event in events)
    assert text == message(await chat("hello"))["content"]


async def test_a_stream_ends_with_usage_when_asked_for_it(chat):
    events = streamed(await chat("hello", stream=True, stream_options={"include_usage": True}))
    assert events[-1]["choices"] == []
    assert events[-1]["usage"]["completion_tokens"] == 20


async def test_the_models_name_overrides_the_length(chat):
    response = await chat("hello", model="simulated?tokens=7")
    assert response.json()["usage"]["completion_tokens"] == 7


async def test_headers_override_the_length(chat):
    response = await chat("hello", headers={"X-Simulated-Tokens": "9"})
    assert response.json()["usage"]["completion_tokens"] == 9


async def test_max_tokens_ends_the_answer_early(chat):
    choice = (await chat("hello", max_tokens=3)).json()["choices"][0]
    assert choice["finish_reason"] == "length"
    assert len(choice["message"]["content"].split()) == 3


@pytest.mark.parametrize(
    ("query", "named"), [("pace=3", "'pace'"), ("tokens=-1", "tokens=-1"), ("fault=flood", "flood")]
)
async def test_a_bad_parameter_is_refused_by_name(chat, query, named):
    response = await chat("hello", model=f"simulated?{query}")
    assert response.status_code == 400
    assert named in response.json()["error"]["message"]


async def test_a_request_without_messages_is_refused(chat):
    response = await chat("", messages=[])
    assert response.status_code == 400
    assert "messages" in response.json()["error"]["message"]


async def test_say_is_repeated_exactly(chat):
    assert message(await chat("[[say  two words. ]]"))["content"] == "two words."


async def test_a_call_directive_calls_the_tool(chat):
    answer = message(await chat('Look. [[call view_file {"path": "a[[1]]"}]]', tools=TOOLS))
    (call,) = answer["tool_calls"]
    assert call["function"]["name"] == "view_file"
    assert json.loads(call["function"]["arguments"]) == {"path": "a[[1]]"}


async def test_several_directives_make_parallel_calls(chat):
    text = '[[call view_file {"path": "a"}]] [[call search_text {"path": "b"}]]'
    calls = message(await chat(text, tools=TOOLS))["tool_calls"]
    assert [call["function"]["name"] for call in calls] == ["view_file", "search_text"]
    assert len({call["id"] for call in calls}) == 2


async def test_streamed_calls_join_to_the_calls_given_whole(chat):
    text = '[[call view_file {"path": "a long path to a file"}]] [[call search_text {}]]'
    joined = {}
    for event in streamed(await chat(text, tools=TOOLS, stream=True)):
        for part in event["choices"][0]["delta"].get("tool_calls", ()):
            joined[part["index"]] = joined.get(part["index"], "") + part["function"]["arguments"]
    whole = message(await chat(text, tools=TOOLS))["tool_calls"]
    assert list(joined.values()) == [call["function"]["arguments"] for call in whole]


async def test_no_tool_is_called_when_none_is_offered(chat):
    assert "tool_calls" not in message(await chat('[[call view_file {"path": "a"}]]'))


async def test_tool_results_are_answered_in_words(chat):
    text = '[[call view_file {"path": "a"}]]'
    first = message(await chat(text, tools=TOOLS))
    result = {"role": "tool", "tool_call_id": first["tool_calls"][0]["id"], "content": "42 lines"}
    messages = [{"role": "user", "content": text}, first, result]
    answer = message(await chat("", messages=messages, tools=TOOLS))
    assert "tool_calls" not in answer
    assert "view_file gave 42 lines" in answer["content"]


async def test_calls_after_then_are_made_in_the_next_turn(chat):
    text = '[[call view_file {"path": "a"}]] [[then]] [[call search_text {"path": "b"}]]'
    first = message(await chat(text, tools=TOOLS))
    result = {"role": "tool", "tool_call_id": first["tool_calls"][0]["id"], "content": "42 lines"}
    messages = [{"role": "user", "content": text}, first, result]
    second = message(await chat("", messages=messages, tools=TOOLS))
    assert second["tool_calls"][0]["function"]["name"] == "search_text"


async def test_a_forced_tool_gets_arguments_that_fit_its_schema(chat):
    choice = {"type": "function", "function": {"name": "search_text"}}
    (call,) = message(await chat("hello", tools=TOOLS, tool_choice=choice))["tool_calls"]
    assert call["function"]["name"] == "search_text"
    jsonschema.validate(
        json.loads(call["function"]["arguments"]), TOOLS[0]["function"]["parameters"]
    )


def schema_format(schema):
    return {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}


CALL_OR_ANSWER = {
    "anyOf": [
        {
            "type": "object",
            "properties": {
                "tool": {"const": "view_file"},
                "arguments": TOOLS[0]["function"]["parameters"],
            },
            "required": ["tool", "arguments"],
        },
        {
            "type": "object",
            "properties": {"answer": {"type": "string", "minLength": 1}},
            "required": ["answer"],
        },
    ]
}


async def test_a_schema_with_a_directive_gets_the_tools_document(chat):
    text = '[[call view_file {"path": "a"}]]'
    answer = message(await chat(text, response_format=schema_format(CALL_OR_ANSWER)))
    assert json.loads(answer["content"]) == {"tool": "view_file", "arguments": {"path": "a"}}


async def test_a_schema_without_a_directive_gets_the_answering_document(chat):
    answer = message(await chat("[[say yes]]", response_format=schema_format(CALL_OR_ANSWER)))
    assert json.loads(answer["content"]) == {"answer": "yes"}


@pytest.mark.parametrize(
    "schema",
    [
        CALL_OR_ANSWER,
        {"type": "array", "items": {"type": "integer", "minimum": 3, "maximum": 5}, "minItems": 4},
        {"type": "number", "exclusiveMinimum": 0.25, "exclusiveMaximum": 0.5},
        {"type": "integer", "minimum": 10, "multipleOf": 7},
        {"type": ["string", "null"], "maxLength": 4},
        {
            "$defs": {"leaf": {"enum": ["x", "y"]}},
            "allOf": [
                {
                    "type": "object",
                    "properties": {"l": {"$ref": "#/$defs/leaf"}},
                    "required": ["l"],
                },
                {"properties": {"b": {"type": "boolean"}}, "required": ["b"]},
            ],
        },
    ],
)
async def test_documents_are_valid_under_their_schema(chat, schema):
    for number in range(5):
        answer = message(await chat(f"q{number}", response_format=schema_format(schema)))
        jsonschema.validate(json.loads(answer["content"]), schema)
