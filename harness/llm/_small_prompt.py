"""The prompts for models of some hundred million parameters.

They answer from one short context that stands beside the question, and lose the thread in a long
chat. The shapes are what SmolLM2-135M-Instruct was measured to answer best with.
"""

import json
import re

from openai.types.chat import ChatCompletionMessageParam

from harness.llm.turns import TurnRequest

CHAT_SYSTEM = "You are a friendly assistant. Answer in one short sentence."

CONTEXT_SYSTEM = "You answer questions with a sentence from the context."
CONTEXT_EXAMPLES = (
    (
        "Where does Mia work?",
        "Mia works at the harbour. Her brother is a baker.",
        "Mia works at the harbour.",
    ),
    ("How many chairs are there?", "The hall has 40 chairs and 8 tables.", "There are 40 chairs."),
    ("What colour is the door?", "Paul painted the door green in May.", "The door is green."),
)

RESULT_SYSTEM = "You tell the user the result of their request."
RESULT_EXAMPLES = (
    (
        "List the songs on the album",
        "intro.mp3, river.mp3",
        "The songs on the album are intro.mp3 and river.mp3.",
    ),
    (
        "Wait a minute, then say that the train leaves",
        "waited_seconds: 60",
        "I waited 60 seconds. The train leaves!",
    ),
    (
        "Ask me where I want to sit before you book",
        "answer: At the window",
        "You want to sit at the window.",
    ),
    (
        "Open poem.txt",
        "# Poem The moon is a boat. It sails at night.",
        "It says: # Poem The moon is a boat. It sails at night.",
    ),
    (
        "Search the letters for the word ring",
        "letter.txt:2: the ring is in the drawer",
        "I found this: letter.txt:2: the ring is in the drawer",
    ),
)

CONTEXT_CHARS = 900
PIECES = 2  # of context: a third one distracts more often than it helps
_TELLING_WORD = re.compile(r"\w{4,}")  # shorter words say little about a subject


def build_messages(request: TurnRequest) -> list[ChatCompletionMessageParam]:
    """The prompt: examples, then the request beside the little that it needs.

    Results of tools stand there alone; without any, what was said about the same thing.
    """
    outcomes = [outcome for turn in request.past for outcome in turn.outcomes]
    repaired = [outcome for outcome in outcomes if not outcome.wrong]
    results = [outcome.content for outcome in repaired or outcomes]
    if results:
        shots = [(f"Request: {r}\nResult: {c}", a) for r, c, a in RESULT_EXAMPLES]
        found = _one_line(" ".join(_plain(result) for result in results))
        return _chat(RESULT_SYSTEM, shots, f"Request: {request.text}\nResult: {found}")
    context = _context(request)
    if context:
        shots = [(_ask(q, c), a) for q, c, a in CONTEXT_EXAMPLES]
        return _chat(CONTEXT_SYSTEM, shots, _ask(request.text, context))
    return _chat(CHAT_SYSTEM, [], request.text)


def _context(request: TurnRequest) -> str:
    memories = [hit.text for hit in request.context.memories]
    said = [item.content for item in reversed(request.context.history) if item.role == "user"]
    asked = set(_TELLING_WORD.findall(request.text.lower()))

    def shared(piece: str) -> int:
        return len(asked.intersection(_TELLING_WORD.findall(piece.lower())))

    pieces = sorted(dict.fromkeys([*memories, *said]), key=shared, reverse=True)
    if "?" not in request.text and not any(map(shared, pieces)):
        return ""  # no question, and about something else: it would answer with what it reads
    return _one_line(" ".join(pieces[:PIECES]))


def _chat(
    system: str, examples: list[tuple[str, str]], asked: str
) -> list[ChatCompletionMessageParam]:
    messages: list[ChatCompletionMessageParam] = [{"role": "system", "content": system}]
    for question, answer in examples:
        messages.append({"role": "user", "content": question})
        messages.append({"role": "assistant", "content": answer})
    messages.append({"role": "user", "content": asked})
    return messages


def _ask(question: str, context: str) -> str:
    return f"Question: {question}\nContext: {context}\nAnswer the question: {question}"


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
