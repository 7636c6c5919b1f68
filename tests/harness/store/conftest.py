import time
import uuid
from collections.abc import Callable

import pytest

from harness.events import MessageSent, message_key
from harness.keys import mint_token
from harness.models import Effect
from harness.settings import SIMULATED_MODEL
from harness.store import PlannedCall


@pytest.fixture
def sent(user_id: str) -> Callable[..., MessageSent]:
    """Makes the event of a message that `user_id` sent."""

    def make(thread_id: str, text: str = "hello", sender: str | None = None) -> MessageSent:
        sender = sender or user_id
        return MessageSent(
            message_key=message_key(sender, thread_id, uuid.uuid4().hex),
            thread_id=thread_id,
            user_id=sender,
            text=text,
            model=SIMULATED_MODEL,
            sent_at=int(time.time() * 1000),
        )

    return make


@pytest.fixture
def planned() -> Callable[[str], PlannedCall]:
    """Makes a call of a tool that only reads."""

    def make(call_id: str) -> PlannedCall:
        return PlannedCall(
            call_id=call_id,
            index=0,
            name="view_file",
            arguments="{}",
            effect=Effect.READ,
            idempotent=True,
        )

    return make


@pytest.fixture
def mint_for() -> Callable[..., str]:
    """Mints a token that one engine accepts."""
    return lambda engine, user_id: mint_token(engine.settings, user_id)
