"""The steps of one run, each with its own bounds."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import inngest
from pydantic import BaseModel, TypeAdapter

from harness.jobs.barriers import barrier
from harness.jobs.policies import Policy
from harness.llm.errors import ModelError
from harness.models import Failure
from harness.store.errors import StoreError
from harness.telemetry.logs import get_logger
from harness.telemetry.metrics import STEP_SECONDS

T = TypeVar("T")
log = get_logger(__name__)

_NUMBER = re.compile(r"-\d+")  # a metric has one series a kind of step
_REFUSALS = frozenset({"NOT_FOUND", "INVALID", "UNAUTHENTICATED"})


class RunFailed(Exception):
    """The run can not go on; its message fails with this reason."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class RunStopped(Exception):
    """The message is cancelled or finished already; the run ends without a word."""


class Outcome(BaseModel):
    """What a step left in the run's memory.

    Failing for good is an outcome as well: the run then still has its steps to say so and to free
    its thread, which an error of Inngest's would end.

    Attributes:
        at: when the step began, in milliseconds UTC.
        ms: how long its last try took.
    """

    value: Any = None
    failure: Failure | None = None
    at: int = 0
    ms: float = 0.0


class Steps:
    """Runs the steps of one run.

    Args:
        ctx: the run, as Inngest hands it over.
        key: the message's key, for barriers and logs.
    """

    def __init__(self, ctx: inngest.Context, key: str) -> None:
        self.ctx = ctx
        self.key = key
        self.outcomes: dict[str, Outcome] = {}

    async def run(
        self, name: str, work: Callable[[], Awaitable[Any]], policy: Policy, kind: type[T]
    ) -> T:
        """Do the work once, whatever process dies; its value is remembered.

        Args:
            name: of the step, unique in the run.
            work: what to do; repeated until it ends, so it must stand being repeated.
            policy: the step's bounds.
            kind: the value's type.

        Raises:
            RunFailed: the step failed for good.
        """
        outcome = await self.attempt(name, work, policy)
        if outcome.failure is not None:
            raise RunFailed(outcome.failure)
        return TypeAdapter(kind).validate_python(outcome.value)

    async def attempt(
        self, name: str, work: Callable[[], Awaitable[Any]], policy: Policy
    ) -> Outcome:
        """As `run`, for a step whose failure the run survives."""

        async def bounded() -> dict[str, Any]:
            return (await self._bounded(name, work, policy)).model_dump(mode="json")

        try:
            outcome = Outcome.model_validate(await self.ctx.step.run(name, bounded))
        except inngest.StepError as error:  # its process died in every try
            outcome = Outcome(failure=_failure(name, error.message))
        self.outcomes[name] = outcome
        return outcome

    async def _bounded(
        self, name: str, work: Callable[[], Awaitable[Any]], policy: Policy
    ) -> Outcome:
        tries = self.ctx.attempt + 1
        at, started = int(time.time() * 1000), time.monotonic()
        await barrier(f"{name}:before", self.key)
        outcome = Outcome(at=at)
        if tries > policy.attempts:
            outcome.failure = _failure(name, f"interrupted {policy.attempts} times")
            return outcome
        try:
            async with asyncio.timeout(policy.timeout_s):
                outcome.value = TypeAdapter(Any).dump_python(await work(), mode="json")
        except Exception as error:
            outcome.failure = _final(name, error, policy, tries)
            if outcome.failure is None:
                log.warning("step tried again", step=name, key=self.key, error=repr(error))
                raise
            log.error("step failed", step=name, key=self.key, error=repr(error))
        outcome.ms = (time.monotonic() - started) * 1000
        STEP_SECONDS.labels(_NUMBER.sub("-N", name)).observe(outcome.ms / 1000)
        await barrier(f"{name}:after", self.key)
        return outcome


def _final(name: str, error: Exception, policy: Policy, tries: int) -> Failure | None:
    """Why no other try is worth it, None while one is."""
    if isinstance(error, RunFailed):
        return error.failure
    if isinstance(error, ModelError) and (error.permanent or tries >= policy.attempts):
        return Failure(code=error.code, message=str(error))
    if isinstance(error, StoreError) and error.code in _REFUSALS:
        return Failure(code=error.code.lower(), message=error.message)
    if tries < policy.attempts:
        return None
    if isinstance(error, TimeoutError):
        return _failure(name, f"took longer than {policy.timeout_s:g} s")
    return _failure(name, str(error) or type(error).__name__)


def _failure(name: str, reason: str) -> Failure:
    return Failure(code="step_failed", message=f"Step {name} failed: {reason}")
