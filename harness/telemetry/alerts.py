"""What somebody should look at."""

from harness.telemetry.logs import get_logger
from harness.telemetry.metrics import ALERTS

_log = get_logger("harness.alerts")


def raise_alert(kind: str, detail: str, **fields: str | int | float | bool | None) -> None:
    """Log an alert at error level and count it, so that a rule on either can page someone.

    Args:
        kind: a short stable name, such as `message_failed`.
        detail: one line for a person.
        fields: what the line should carry, such as `message_key`.
    """
    ALERTS.labels(kind).inc()
    _log.error("alert", kind=kind, detail=detail, **fields)
