import logging

import pytest
from prometheus_client import REGISTRY

from harness.store import Store
from harness.telemetry import analytics
from harness.telemetry.alerts import raise_alert


async def test_an_event_is_kept_with_its_time(store, user_id):
    event = f"test.{user_id}"
    await analytics.record(store, event, user_id=user_id, props={"flow": "background"})
    (kept,) = (await store.list_analytics(event)).page
    assert (kept.subject, kept.props) == (user_id, {"flow": "background"})
    assert kept.at > 1_600_000_000_000


async def test_a_lost_event_costs_its_caller_nothing_and_is_counted(free_port):
    before = REGISTRY.get_sample_value("harness_analytics_lost_total")
    async with Store(f"http://127.0.0.1:{free_port()}", "key", retry_s=0) as away:
        await analytics.record(away, "test.lost")
    assert REGISTRY.get_sample_value("harness_analytics_lost_total") == before + 1


def test_an_alert_is_an_error_in_the_log_and_a_count(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.ERROR):
        raise_alert("test_kind", "it broke", message_key="k")
    labels = {"kind": "test_kind"}
    assert REGISTRY.get_sample_value("harness_alerts_total", labels) == 1
