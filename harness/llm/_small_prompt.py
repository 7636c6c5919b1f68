"""The prompt for models of some hundred million parameters.

They answer from one short context that stands beside the question, and lose the thread in a long
chat. The shape is what SmolLM2-135M-Instruct was measured to answer best with.
"""

import json

from openai.types.chat import ChatCompletionMessageParam

from harness.llm.turns import TurnRequest

SYSTEM = "You answer questions with a sentence from the context."
SYSTEM_WITHOUT_CONTEXT = "You are a friendly assistant. Answer in one short sentence."
EXAMPLES = (
    (
        "Where does Mia work?",
        "Mia works at the harbour. Her brother is a baker.",
        "Mia works at the harbour.",
    ),
    ("How many chairs are there?", "The hall has 40 chairs and 8 tables.", "There are 40 chairs."),
    ("What colour is the door?", "Paul painted the door green in May.", "The door is green."),
)
CONTEXT_CHARS = 900
MEMORIES = 2  # a third one distracts more often than it helps


def build_messages(request: TurnRequest) -> list[ChatCompletionMessageParam]:
    """The prompt: examples, then the question beside the little context that it needs."""
    context = context_text(request)
    if not context:
        return [
            {"role": "system", "content": SYSTEM_WITHOUT_CONTEXT},
            {"role": "user", "content": request.text},
        ]
    messages: list[ChatCompletionMessageParam] = [{"role": "system", "content": SYSTEM}]
    for question, example, answer in EXAMPLES:
        messages.append({"role": "user", "content": _ask(question, example)})
        messages.append({"role": "assistant", "content": answer})
    messages.append({"role": "user", "content": _ask(request.text, context)})
    return messages


def context_text(request: TurnRequest) -> str:
    """What stands beside the question: tool results alone if there are any, else memories."""
    results = [outcome.content for turn in request.past for outcome in turn.outcomes]
    if results:
        return _one_line(" ".join(_plain(result) for result in results))
    memories = [hit.text for hit in request.context.memories[:MEMORIES]]
    last = [item.content for item in request.context.history if item.role == "user"][-1:]
    pieces = list(dict.fromkeys([*memories, *last]))
    return _one_line(" ".join(pieces))


def _plain(content: str) -> str:
    # Brackets and quotes of JSON are noise to a model this small.
    try:
        return _flat(json.loads(content))
    except json.JSONDecodeError:
        return content


def _flat(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_flat(part)}" for key, part in value.items())
    if isinstance(value, list):
        return ", ".join(_flat(part) for part in value)
    return "" if value is None else str(value)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:CONTEXT_CHARS]


def _ask(question: str, context: str) -> str:
    return f"Question: {question}\nContext: {context}\nAnswer the question: {question}"
