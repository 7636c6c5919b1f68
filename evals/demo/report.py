"""The demo conversation's part of the report."""

from collections.abc import Sequence

from evals.charts import message_stages
from evals.exchange import Exchange
from evals.report import Chart, Section, TableData

_CUT = 220


def conversation_section(
    exchanges: Sequence[Exchange], problems: Sequence[Sequence[str]]
) -> Section:
    """What was said, who chose which tool, and where each message's time went.

    Args:
        exchanges: of the demo.
        problems: what was not as expected, for each exchange.
    """
    rows = tuple(
        (
            exchange.text,
            exchange.answer[:_CUT] or f"({exchange.status.value})",
            "; ".join(f"{call.name}: {call.status.value}" for call in exchange.calls) or "none",
            exchange.took,
            "; ".join(found) or "as expected",
        )
        for exchange, found in zip(exchanges, problems, strict=True)
    )
    model = next((exchange.model for exchange in exchanges if exchange.model), "no model")
    return Section(
        "The conversation",
        f"Answered by {model}. Selection decides which tools are offered, the model chooses among "
        "them and fills their arguments. The local model is for plumbing: nothing here says how "
        "good its answers are.",
        TableData(("message", "answer", "tools", "took", "verdict"), rows, frozenset({"took"})),
        (
            Chart(
                message_stages([bar for exchange in exchanges for bar in exchange.bars]),
                "Each bar is a step of the durable job, from when the message was sent; what lies "
                "between them is Inngest, and waiting for the user or for a time. The step that "
                "keeps the answer writes this record, so it is not in it.",
            ),
        ),
    )
