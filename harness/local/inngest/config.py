"""What an app says of its functions when it registers, and what of that is refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from harness.local.inngest._times import parse_duration
from harness.local.inngest.expressions import Expression, ExpressionError, compile_expression

DEFAULT_RETRIES = 4
MAX_RETRIES = 20
MAX_CONCURRENCY_LIMITS = 2

_UNSUPPORTED = {
    "batchEvents": "event batching (batch_events)",
    "debounce": "debouncing (debounce)",
    "idempotency": "an idempotency key (idempotency)",
    "priority": "priorities (priority)",
    "rateLimit": "rate limits (rate_limit)",
    "singleton": "singletons (singleton)",
    "throttle": "throttling (throttle)",
    "timeouts": "timeouts (timeouts)",
}


class ConfigError(ValueError):
    """A registration that cannot be accepted; the text names the function and the setting."""


@dataclass(frozen=True)
class Trigger:
    """An event that starts a function, where its expression is true."""

    event: str
    expression: Expression | None


@dataclass(frozen=True)
class Cancel:
    """An event that cancels a function's runs, for `timeout_ms` after they were made."""

    event: str
    expression: Expression | None
    timeout_ms: int | None


@dataclass(frozen=True)
class Concurrency:
    """At most `limit` steps of one key execute at once, counted over the scope."""

    limit: int
    scope: str
    key: Expression | None


@dataclass(frozen=True)
class Function:
    """A registered function."""

    id: str
    app_id: str
    name: str
    url: str
    retries: int
    triggers: tuple[Trigger, ...]
    cancels: tuple[Cancel, ...]
    concurrency: tuple[Concurrency, ...]

    @property
    def max_attempts(self) -> int:
        """How often a step, or the function between its steps, is tried."""
        return self.retries + 1

    def step_url(self, step: str) -> str:
        """The address that runs `step`, or finds the next steps where it is `step`."""
        return self._url_of_a_step + quote(step)

    @cached_property
    def _url_of_a_step(self) -> str:
        parts = urlsplit(self.url)
        query = [(key, value) for key, value in parse_qsl(parts.query) if key != "stepId"]
        return urlunsplit(parts._replace(query=urlencode([*query, ("stepId", "")])))


def parse_function(app_id: str, raw: Any) -> Function:
    """A function from its registered configuration.

    Args:
        app_id: the app it belongs to.
        raw: one item of the registration's `functions`.

    Raises:
        ConfigError: it is malformed, or asks for something this engine does not do.
    """
    function_id = raw.get("id") if isinstance(raw, dict) else None
    if not isinstance(function_id, str) or not function_id:
        raise ConfigError(f"a function of app {app_id} has no id")
    for key, words in _UNSUPPORTED.items():
        if raw.get(key) is not None:
            raise ConfigError(
                f"function {function_id} asks for {words}, which the local Inngest engine does not"
                f" support: remove {key} or run it on Inngest itself"
            )
    try:
        return _parse(app_id, function_id, raw)
    except (KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"function {function_id} is malformed: {error!r}") from None
    except (ValueError, ExpressionError) as error:
        raise ConfigError(f"function {function_id}: {error}") from None


def _parse(app_id: str, function_id: str, raw: Mapping[str, Any]) -> Function:
    step = raw["steps"]["step"]
    if step["runtime"]["type"] != "http":
        raise ConfigError(
            f"function {function_id} is served over {step['runtime']['type']} (connect), which the"
            " local Inngest engine does not support: serve it over HTTP"
        )
    retries = (step.get("retries") or {}).get("attempts", DEFAULT_RETRIES)
    if not 0 <= retries <= MAX_RETRIES:
        raise ConfigError(
            f"function {function_id} wants {retries} retries: 0 to {MAX_RETRIES} are possible"
        )
    limits = raw.get("concurrency") or []
    if len(limits) > MAX_CONCURRENCY_LIMITS:
        raise ConfigError(
            f"function {function_id} has {len(limits)} concurrency limits:"
            f" at most {MAX_CONCURRENCY_LIMITS} are possible"
        )
    return Function(
        id=function_id,
        app_id=app_id,
        name=raw.get("name") or function_id,
        url=step["runtime"]["url"],
        retries=retries,
        triggers=tuple(_trigger(function_id, item) for item in raw["triggers"]),
        cancels=tuple(_cancel(item) for item in raw.get("cancel") or []),
        concurrency=tuple(_concurrency(function_id, item) for item in limits),
    )


def _expression(source: str | None) -> Expression | None:
    return compile_expression(source) if source else None


def _trigger(function_id: str, raw: Mapping[str, Any]) -> Trigger:
    if raw.get("cron"):
        raise ConfigError(
            f"function {function_id} is triggered by cron {raw['cron']!r}, which the local Inngest"
            " engine does not support: send it an event instead"
        )
    return Trigger(raw["event"], _expression(raw.get("expression")))


def _cancel(raw: Mapping[str, Any]) -> Cancel:
    timeout = raw.get("timeout")
    return Cancel(
        raw["event"], _expression(raw.get("if")), parse_duration(timeout) if timeout else None
    )


def _concurrency(function_id: str, raw: Mapping[str, Any]) -> Concurrency:
    limit, scope = raw["limit"], raw.get("scope") or "fn"
    if not isinstance(limit, int) or limit < 1:
        raise ConfigError(
            f"function {function_id} has a concurrency limit of {limit!r}: 1 is the least"
        )
    if scope not in {"fn", "env", "account"}:
        raise ConfigError(
            f"function {function_id} has a concurrency scope {scope!r}: use fn, env or account"
        )
    if scope != "fn" and not raw.get("key"):
        raise ConfigError(
            f"function {function_id} has a concurrency scope {scope!r} without a key: give one"
        )
    return Concurrency(limit, scope, _expression(raw.get("key")))
