"""Which flow answers a message: OpenFeature flags that are kept in Convex and pushed from it."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode as FlagError
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType, Reason
from openfeature.provider import AbstractProvider, Metadata

from harness.models import Flow
from harness.store import Flag, StoreError, Subscriber
from harness.telemetry.logs import get_logger

BACKGROUND = "background-flow"  # on: new flow; off: old flow; no such flag: on
_RETRY_S = 1.0
_log = get_logger("harness.flags")

Value = TypeVar("Value")


def bucket(key: str, user_id: str) -> float:
    """Where a user stands in a flag's rollout, 0 ≤ bucket < 100; the same for good.

    A user whom 10 % reached is still reached by 20 %, and flags are independent of each other.
    """
    digest = hashlib.sha256(f"{key}\x00{user_id}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64 * 100


def is_on(flag: Flag, user_id: str, kind: str) -> tuple[bool, Reason]:
    """Whether a flag is on for a user in a thread of a kind, and why."""
    if not flag.enabled:
        return False, Reason.DISABLED
    if user_id in flag.subjects:
        return True, Reason.TARGETING_MATCH
    if flag.kinds and kind not in flag.kinds:
        return False, Reason.TARGETING_MATCH
    return bucket(flag.key, user_id) < flag.percentage, Reason.SPLIT


class ConvexFlagProvider(AbstractProvider):
    """An OpenFeature provider of the boolean flags in Convex's `flags` table.

    Evaluation reads memory only. `follow` keeps that memory as Convex has it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._flags: dict[str, Flag] = {}
        self.loaded = asyncio.Event()

    def replace(self, flags: list[Flag]) -> None:
        """Take the flags as they now are."""
        self._flags = {flag.key: flag for flag in flags}
        self.loaded.set()

    async def follow(self, subscriber: Subscriber) -> None:
        """Take every change that Convex pushes, until cancelled.

        Args:
            subscriber: authorized by the deployment's key.
        """
        while True:
            try:
                async for flags in subscriber.watch_flags():
                    self.replace(flags)
            except StoreError as error:
                _log.warning("feature flags can't be followed", error=str(error))
            await asyncio.sleep(_RETRY_S)

    def get_metadata(self) -> Metadata:
        """The provider's name."""
        return Metadata(name="convex")

    def resolve_boolean_details(
        self,
        flag_key: str,
        default_value: bool,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[bool]:
        """Resolve a flag for the context's targeting key and `kind`."""
        flag = self._flags.get(flag_key)
        if flag is None:
            return FlagResolutionDetails(default_value, reason=Reason.DEFAULT)
        context = evaluation_context or EvaluationContext()
        kind = str(context.attributes.get("kind", "standard"))
        value, reason = is_on(flag, context.targeting_key or "", kind)
        return FlagResolutionDetails(value, reason=reason, flag_metadata={"version": flag.version})

    def resolve_string_details(
        self,
        flag_key: str,
        default_value: str,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[str]:
        """Refuse: the flags are boolean."""
        return _not_boolean(default_value)

    def resolve_integer_details(
        self,
        flag_key: str,
        default_value: int,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[int]:
        """Refuse: the flags are boolean."""
        return _not_boolean(default_value)

    def resolve_float_details(
        self,
        flag_key: str,
        default_value: float,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[float]:
        """Refuse: the flags are boolean."""
        return _not_boolean(default_value)

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Sequence[FlagValueType] | Mapping[str, FlagValueType],
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Sequence[FlagValueType] | Mapping[str, FlagValueType]]:
        """Refuse: the flags are boolean."""
        return _not_boolean(default_value)


def _not_boolean(default: Value) -> FlagResolutionDetails[Value]:
    return FlagResolutionDetails(default, reason=Reason.ERROR, error_code=FlagError.TYPE_MISMATCH)


@dataclass(frozen=True)
class FlowChoice:
    """The flow that answers a message and the version of the flag that chose it; 0 is no flag."""

    flow: Flow
    version: int


class FeatureFlags:
    """Asks OpenFeature which flow a message takes.

    Args:
        provider: where flags come from; each instance has an OpenFeature domain of its own.
    """

    def __init__(self, provider: ConvexFlagProvider) -> None:
        self._domain = f"harness-{id(provider)}"
        api.set_provider_and_wait(provider, self._domain)
        self._client = api.get_client(self._domain)

    def choose_flow(self, user_id: str, kind: str) -> FlowChoice:
        """The flow for a user's message in a thread of a kind; background unless a flag says no."""
        context = EvaluationContext(targeting_key=user_id, attributes={"kind": kind})
        details = self._client.get_boolean_details(BACKGROUND, True, context)
        version: Any = details.flag_metadata.get("version", 0)
        flow = Flow.BACKGROUND if details.value else Flow.INLINE
        return FlowChoice(flow, int(version))
