"""What an app says of its functions when it registers, and what of that is refused."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from harness.local.inngest._fields import unknown
from harness.local.inngest._times import parse_duration
from harness.local.inngest.expressions import Expression, ExpressionError, compile_expression
from harness.local.inngest.flow.concurrency import Concurrency, parse_concurrency
from harness.local.inngest.flow.idempotency import Idempotency, parse_idempotency
from harness.local.inngest.flow.priority import Priority, parse_priority
from harness.local.inngest.flow.rate_limit import RateLimit, parse_rate_limit
from harness.local.inngest.flow.singleton import Singleton, parse_singleton
from harness.local.inngest.flow.throttle import Throttle, parse_throttle
from harness.local.inngest.flow.timeouts import Timeouts, parse_timeouts

DEFAULT_RETRIES = 4
MAX_RETRIES = 20
MAX_TRIGGERS = 10

_WILDCARD = re.compile(r"[^*]+[/.]\*")
_UNSUPPORTED = {
    "batchEvents": "event batching (batch_events)",
    "debounce": "debouncing (debounce)",
}


class ConfigError(ValueError):
    """A registration that cannot be accepted; the text names the function and the setting."""


@dataclass(frozen=True)
class Trigger:
    """An event that starts a function, where its expression is true.

    Attributes:
        event: its name, or the beginning of names with a `*` in place of the rest.
    """

    event: str
    expression: Expression | None


@dataclass(frozen=True)
class Cancel:
    """An event that cancels a function's runs, for `timeout_ms` after they were made."""

    event: str
    expression: Expression | None
    timeout_ms: int | None


@dataclass(frozen=True)
class Function:
    """A registered function; its settings are described in `flow/`."""

    id: str
    app_id: str
    name: str
    url: str
    retries: int
    triggers: tuple[Trigger, ...]
    cancels: tuple[Cancel, ...] = ()
    concurrency: tuple[Concurrency, ...] = ()
    rate_limits: tuple[RateLimit | Idempotency, ...] = ()
    throttle: Throttle | None = None
    priority: Priority | None = None
    singleton: Singleton | None = None
    timeouts: Timeouts | None = None

    @property
    def records_start(self) -> bool:
        """Whether something depends on when a run started, after a restart too."""
        return self.throttle is not None or self.timeouts is not None

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


def refuse_unknown(raw: Mapping[str, Any]) -> None:
    """Refuse what nothing heeds in a configuration that is well-formed otherwise.

    Raises:
        ConfigError: there is such a field.
    """
    for field in unknown(raw):
        raise ConfigError(
            f"function {raw['id']} asks for {field}, which the local Inngest engine does not know:"
            " remove it or run it on Inngest itself"
        )


def _parse(app_id: str, function_id: str, raw: Mapping[str, Any]) -> Function:
    step = raw["steps"]["step"]
    if step["runtime"]["type"] != "http":
        raise ConfigError(
            f"function {function_id} is served over {step['runtime']['type']} (connect), which the"
            " local Inngest engine does not support: serve it over HTTP"
        )
    retries = (step.get("retries") or {}).get("attempts", DEFAULT_RETRIES)
    if not isinstance(retries, int) or not 0 <= retries <= MAX_RETRIES:
        raise ConfigError(
            f"function {function_id} wants {retries} retries: 0 to {MAX_RETRIES} are possible"
        )
    triggers = tuple(_trigger(function_id, item) for item in raw["triggers"])
    if len(triggers) > MAX_TRIGGERS:
        raise ConfigError(
            f"function {function_id} has {len(triggers)} triggers: at most {MAX_TRIGGERS} are"
            " possible"
        )
    limits = (parse_rate_limit(raw.get("rateLimit")), parse_idempotency(raw.get("idempotency")))
    return Function(
        id=function_id,
        app_id=app_id,
        name=raw.get("name") or function_id,
        url=step["runtime"]["url"],
        retries=retries,
        triggers=triggers,
        cancels=tuple(_cancel(item) for item in raw.get("cancel") or []),
        concurrency=parse_concurrency(raw.get("concurrency")),
        rate_limits=tuple(limit for limit in limits if limit),
        throttle=parse_throttle(raw.get("throttle")),
        priority=parse_priority(raw.get("priority")),
        singleton=parse_singleton(raw.get("singleton")),
        timeouts=parse_timeouts(raw.get("timeouts")),
    )


def _expression(source: str | None) -> Expression | None:
    return compile_expression(source) if source else None


def _trigger(function_id: str, raw: Mapping[str, Any]) -> Trigger:
    if raw.get("cron"):
        raise ConfigError(
            f"function {function_id} is triggered by cron {raw['cron']!r}, which the local Inngest"
            " engine does not support: send it an event instead"
        )
    name = raw["event"]
    if "*" in name and not _WILDCARD.fullmatch(name):
        raise ConfigError(
            f"function {function_id} is triggered by {name!r}, which no event matches: a wildcard"
            " stands at the end, after / or ."
        )
    return Trigger(name, _expression(raw.get("expression")))


def _cancel(raw: Mapping[str, Any]) -> Cancel:
    timeout = raw.get("timeout")
    return Cancel(
        raw["event"], _expression(raw.get("if")), parse_duration(timeout) if timeout else None
    )
