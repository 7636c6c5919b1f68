"""Calls to apps over the SDK's HTTP protocol."""

import random
from collections.abc import Sequence
from http import HTTPStatus

import orjson

from harness.local.inngest import answers, signing
from harness.local.inngest.answers import Answer, Failed, Refused
from harness.local.inngest.client import Client
from harness.local.inngest.config import Function
from harness.local.inngest.connection import HttpError, Response, TimedOut, TooLarge, Unreachable
from harness.local.inngest.state import Kind, Pending

CALL_TIMEOUT_S = 2 * 3600
MAX_REQUEST_BYTES = 4 * 1024 * 1024
MAX_ANSWER_BYTES = 4 * 1024 * 1024 + 64 * 1024


class Executor:
    """Calls functions and reads their answers.

    Args:
        signing_keys: the first signs calls, all check answers; none for development mode. An app
            that refuses the first is asked again with the next.
    """

    def __init__(self, signing_keys: Sequence[str]) -> None:
        self._keys = signing_keys
        self._kind = "cloud" if signing_keys else "dev"
        self._client = Client(MAX_ANSWER_BYTES, CALL_TIMEOUT_S)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    async def call(self, function: Function, pending: Pending) -> Answer:
        """Run a planned step, or the function up to its next ones."""
        url = function.step_url(pending.hash if pending.kind is Kind.STEP else "step")
        body = request_body(function, pending)
        try:
            for key in self._keys or (None,):
                answer = await self._client.request("POST", url, body, self._headers(body, key))
                if answer.status != HTTPStatus.UNAUTHORIZED:
                    break
            return self._read(url, answer)
        except Unreachable as error:
            return Refused(f"{url} {error}")
        except TooLarge as error:
            problem = f"{url} {error}, which Inngest refuses"
            return Failed(answers.error("OutputTooLarge", problem))
        except TimedOut as error:
            return Failed(answers.error("Timeout", f"{url} {error}"))
        except HttpError as error:
            return Failed(answers.error("ConnectionLost", f"{url} {error}"))

    def _read(self, url: str, answer: Response) -> Answer:
        status, headers, content = answer.status, answer.headers, answer.body
        # A streaming answer (201) is signed by no SDK.
        if self._keys and status != HTTPStatus.CREATED and "x-inngest-sdk" in headers:
            signature = headers.get("x-inngest-signature", "")
            if not signing.verify(content, signature, self._keys):
                return Failed(answers.error("BadSignature", f"{url} signed its answer wrongly"))
        return answers.classify(url, status, headers, content)

    def _headers(self, body: bytes, key: str | None) -> dict[str, str]:
        headers = {
            "content-type": "application/json",
            "x-inngest-server-kind": self._kind,
            "x-request-id": f"{random.getrandbits(128):032x}",
        }
        if key:
            headers["x-inngest-signature"] = signing.sign(body, key)
        return headers

    async def sync(self, url: str) -> str | None:
        """Make the app at `url` register itself.

        Returns:
            Why it did not; None when it did.

        Raises:
            Unreachable: nothing listens there.
            HttpError: there was no whole answer.
        """
        headers = self._headers(b"{}", self._keys[0] if self._keys else None)
        answer = await self._client.request("PUT", url, b"{}", headers)
        try:
            found = orjson.loads(answer.body)
        except orjson.JSONDecodeError:
            found = None
        if isinstance(found, dict) and found.get("ok") is True:
            return None
        if isinstance(found, dict) and (found.get("error") or found.get("message")):
            return str(found.get("error") or found.get("message"))
        return f"{url} is not an Inngest app: it answered {answer.status} to a PUT"


def request_body(function: Function, pending: Pending) -> bytes:
    """The body of a call.

    A run whose state is too large for one request is sent without it: `use_api` makes the SDK
    fetch it from the engine.
    """
    run = pending.run
    event = orjson.Fragment(run.event.body)
    use_api = run.size + 2 * len(run.event.body) > MAX_REQUEST_BYTES
    told = run.told
    hashes = list(told)
    return orjson.dumps(
        {
            "version": 1,
            "ctx": {
                "run_id": run.id,
                "fn_id": function.id,
                "env": "local",
                "step_id": pending.hash or "step",
                "attempt": pending.attempt,
                "max_attempts": function.max_attempts,
                "disable_immediate_execution": run.parallel,
                "use_api": use_api,
                "stack": {"stack": hashes, "current": len(hashes)},
            },
            "event": event,
            "events": [] if use_api else [event],
            "steps": {} if use_api else steps_of(told),
            "use_api": use_api,
        }
    )


def steps_of(memos: dict[str, bytes]) -> dict[str, orjson.Fragment]:
    """Finished steps as they stand in a request."""
    return {step: orjson.Fragment(memo) for step, memo in memos.items()}
