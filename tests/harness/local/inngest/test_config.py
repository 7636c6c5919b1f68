"""Nothing that an app can ask of a function is ignored: it is heeded, or refused by its name."""

import datetime
import inspect

import inngest
import pytest

from harness.local.inngest.config import ConfigError, parse_function, refuse_unknown

MINUTE = datetime.timedelta(minutes=1)
HOUR = datetime.timedelta(hours=1)
URL = "http://127.0.0.1:1/api/inngest"
HEEDED = {
    "name": [{"name": "called"}],
    "retries": [{"retries": 0}, {"retries": 3}],
    "idempotency": [{"idempotency": "event.data.a"}],
    "priority": [{"priority": inngest.Priority(run=run)} for run in ("event.data.a", "5")],
    "cancel": [
        {"cancel": [inngest.Cancel(event="test/stop", **more)]}
        for more in ({}, {"if_exp": "event.data.a == 1"}, {"timeout": HOUR})
    ],
    "concurrency": [
        {"concurrency": [inngest.Concurrency(limit=limit, **more)]}
        for limit, more in (
            (1, {}),
            (2, {}),
            (1, {"key": "event.data.a"}),
            (1, {"key": "event.data.a", "scope": "env"}),
            (1, {"key": "event.data.a", "scope": "account"}),
        )
    ],
    "rate_limit": [
        {"rate_limit": inngest.RateLimit(limit=limit, period=period, key=key)}
        for limit, period, key in (
            (1, HOUR, None),
            (2, HOUR, None),
            (1, MINUTE, None),
            (1, HOUR, "1"),
        )
    ],
    "throttle": [
        {"throttle": inngest.Throttle(limit=limit, period=period, burst=burst, key=key)}
        for limit, period, burst, key in (
            (1, HOUR, 1, None),
            (3, HOUR, 1, None),
            (1, MINUTE, 1, None),
            (1, HOUR, 5, None),
            (1, HOUR, 1, "1"),
        )
    ],
    "timeouts": [
        {"timeouts": inngest.Timeouts(**times)}
        for times in ({"start": HOUR}, {"finish": HOUR}, {"start": MINUTE})
    ],
    "singleton": [
        {"singleton": inngest.Singleton(mode=mode, key=key)}
        for mode, key in (("skip", None), ("cancel", None), ("skip", "event.data.a"))
    ],
    "trigger": [
        {"trigger": inngest.TriggerEvent(event="test/other")},
        {"trigger": inngest.TriggerEvent(event="test/go", expression="event.data.a == 1")},
    ],
}
REFUSED = {
    "batch_events": {"batch_events": inngest.Batch(max_size=2)},
    "debounce": {"debounce": inngest.Debounce(period=MINUTE)},
    "cron": {"trigger": inngest.TriggerCron(cron="* * * * *", jitter="5s")},
}
# What the SDK keeps to itself, what makes a function of its own, and what all functions have.
NOT_OF_THE_FUNCTION = {"self", "fn_id", "middleware", "output_type", "on_failure"}


def registered(**options):
    """What the SDK registers of a function."""
    client = inngest.Inngest(app_id="app", is_production=False)
    options = {"fn_id": "f", "trigger": inngest.TriggerEvent(event="test/go")} | options

    async def nothing(ctx):
        return None

    return client.create_function(**options)(nothing).get_config(URL).main.to_dict()


def test_every_option_of_the_sdk_is_known_here():
    options = inspect.signature(inngest.Inngest.create_function).parameters
    assert set(options) - NOT_OF_THE_FUNCTION == {*HEEDED, *REFUSED} - {"cron"}


@pytest.mark.parametrize("option", HEEDED)
def test_every_option_and_each_of_its_fields_changes_the_function(option):
    configs = [registered(), *(registered(**values) for values in HEEDED[option])]
    for config in configs:
        refuse_unknown(config)
    parsed = [parse_function("app", config) for config in configs]
    for index, function in enumerate(parsed):
        assert function not in parsed[:index], configs[index]


@pytest.mark.parametrize("option", REFUSED)
def test_what_is_not_supported_is_refused_by_name(option):
    with pytest.raises(ConfigError, match=f"app-f .*{option}"):
        parse_function("app", registered(**REFUSED[option]))


@pytest.mark.parametrize("retries", [-1, 21, 2.5, "3"])
def test_other_numbers_of_retries_are_refused(retries):
    config = registered()
    config["steps"]["step"]["retries"] = {"attempts": retries}
    with pytest.raises(ConfigError, match=f"app-f wants {retries} retries: 0 to 20 are possible"):
        parse_function("app", config)


def with_field(path):
    """A configuration with a field more, at a path."""
    config = registered(
        **HEEDED["cancel"][0], **HEEDED["concurrency"][0], **HEEDED["throttle"][0], retries=1
    )
    *parents, name = path.split(".")
    part = config
    for parent in parents:
        part = part[parent][0] if isinstance(part[parent], list) else part[parent]
    part[name] = {"any": 1}
    return config


@pytest.mark.parametrize(
    "path",
    [
        "checkpoint",
        "triggers.batch",
        "cancel.after",
        "concurrency.per",
        "throttle.mode",
        "steps.second",
        "steps.step.memory",
        "steps.step.retries.backoff",
        "steps.step.runtime.region",
    ],
)
def test_what_nothing_heeds_is_refused_wherever_it_stands(path):
    with pytest.raises(ConfigError, match=f"function app-f asks for {path}, which"):
        refuse_unknown(with_field(path))


async def test_a_registration_with_such_a_field_is_refused(local):
    local.start_engine()
    body = {"appname": "app", "url": URL, "functions": [with_field("checkpoint")]}
    answer = await local.http.post("/fn/register", json=body)
    assert (answer.status_code, answer.json()["ok"]) == (400, False)
    assert "app-f asks for checkpoint" in answer.json()["error"]
