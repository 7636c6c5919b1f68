import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.context.tokens import token_counter
from harness.llm import summarising
from harness.llm.completion import Completion
from harness.llm.errors import ModelUnavailable
from harness.llm.fitting import Prompt
from harness.llm.models import ModelSpec
from harness.llm.summarising import write_summary
from harness.models import Message, ThreadSummary
from harness.settings import Settings

COUNTER = token_counter("gpt-4o")


class Clients:
    """Stands for a model that says what it is told to, and keeps what it was asked."""

    def __init__(self, says="They met.", **changes):
        self.settings = Settings(**changes)
        self.says = says
        self.asked = []

    def get(self, spec):
        return self

    async def complete(self, client, spec, messages, on_text, limits, **options):
        self.asked.append(Prompt(messages, {}, options["max_tokens"]))
        return Completion(text=self.says, finish_reason="stop")


def message(order, content):
    return Message(
        **{"id": f"m{order}", "thread_id": "t", "role": "user", "content": content},
        **{"sent_at": order, "order": order, "status": "completed"},
    )


def write(clients, contents, window=8192, before=None):
    spec = ModelSpec(
        name="m", model="m", base_url="http://model.test", provider="openai-compatible",
        context_tokens=window, max_output_tokens=64,
    )  # fmt: skip
    messages = [message(i + 10, content) for i, content in enumerate(contents)]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(summarising, "complete", clients.complete)
        return asyncio.run(write_summary(clients, spec, COUNTER, before, messages))


def asked(clients):
    return clients.asked[-1].messages[-1]["content"]


def test_a_summary_is_of_the_one_before_and_the_new_messages():
    clients = Clients()
    before = ThreadSummary(text="Ann has a goat.", through_order=9, model="other")
    written = write(clients, ["It is white.", "It is called Berta."], before=before)
    for text in ("> Ann has a goat.", "> user: It is white.", "> user: It is called Berta."):
        assert text in asked(clients)
    assert written.summary == ThreadSummary(text="They met.", through_order=11, model="m")


def test_messages_that_do_not_fit_are_left_to_the_next_summary():
    clients = Clients()
    written = write(clients, ["goat " * 300] * 20, window=2000)
    covered = asked(clients).count("> user:")
    assert 0 < covered < 20
    assert written.summary.through_order == 9 + covered


def test_a_summary_is_kept_within_its_tokens():
    written = write(Clients(says="goat " * 900, summary_tokens=50), ["hello"])
    assert COUNTER.count(written.summary.text) <= 50


def test_an_empty_summary_is_none():
    with pytest.raises(ModelUnavailable, match="empty summary"):
        write(Clients(says=" \n"), ["hello"])


TEXTS = st.text(st.characters(codec="utf-8"), max_size=40)


@given(st.lists(st.builds(str.__mul__, TEXTS, st.integers(1, 60)), min_size=1, max_size=12),
       st.integers(900, 6000), st.text(max_size=300))  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_what_the_model_is_asked_with_fits_its_window(contents, window, earlier):
    clients = Clients()
    before = ThreadSummary(text=earlier, through_order=9, model="m") if earlier.strip() else None
    written = write(clients, contents, window, before)
    [prompt] = clients.asked
    assert prompt.tokens(COUNTER) + prompt.answer_tokens <= window
    assert 10 <= written.summary.through_order < 10 + len(contents)
