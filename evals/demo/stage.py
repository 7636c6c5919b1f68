"""What the demo shows on the terminal while it runs."""

import json
import sys

from rich.console import Console
from rich.markup import escape

from evals.exchange import Exchange
from harness.models import Question, ToolCall


class Stage:
    """Prints the conversation as it happens.

    Args:
        console: where to.
    """

    def __init__(self, console: Console) -> None:
        self.console = console

    def heading(self, text: str) -> None:
        """Begin a part of the demo."""
        self.console.rule(f"[bold]{text}", align="left")

    def user(self, text: str) -> None:
        """Show a message that is sent."""
        self.console.print(f"[bold cyan]you[/]        {escape(text)}", highlight=False)
        self.console.print("[bold green]assistant[/]  ", end="")

    def token(self, text: str) -> None:
        """Show a piece of text that the subscription brought."""
        self.console.print(text, end="", markup=False, highlight=False, soft_wrap=True)

    def ask(self, question: Question, prepared: str) -> str:
        """Ask whoever sits at the terminal, or reply for them where there is none."""
        self.console.print(f"\n[yellow]asks[/]       {escape(question.prompt)}", highlight=False)
        if sys.stdin.isatty():
            typed = self.console.input(f"[yellow]your reply[/] (Enter for {escape(prepared)!r}): ")
            return typed.strip() or prepared
        self.console.print(
            f"[yellow]reply[/]      {escape(prepared)}  (given by the demo: no terminal)"
        )
        return prepared

    def outcome(self, exchange: Exchange, problems: list[str]) -> None:
        """Show who chose what, and whether it went as the conversation expects."""
        self.console.print()
        self.console.print(f"           {_who_chose(exchange)}", style="dim", markup=False)
        if exchange.memories:
            best = exchange.memories[0].replace("\n", " ")
            self.console.print(
                f"           shown {len(exchange.memories)} memories, best: {best[:90]!r}",
                style="dim",
                markup=False,
            )
        verdict = "; ".join(problems) if problems else f"as expected, {exchange.took}"
        self.console.print(
            f"           {verdict}\n", style="red" if problems else "dim green", markup=False
        )


def _who_chose(exchange: Exchange) -> str:
    if not exchange.offered:
        return "selection offered no tool, so the model could only answer"
    offered = ", ".join(exchange.offered)
    if not exchange.calls:
        return f"selection offered {offered}; the model called none"
    calls = "; ".join(_call(call) for call in exchange.calls)
    return f"selection offered {offered}; {calls}"


def _call(call: ToolCall) -> str:
    arguments = ", ".join(f"{key}={value!r}" for key, value in json.loads(call.arguments).items())
    result = "" if call.result is None else f" → {call.result[:80]}"
    return f"{call.chosen_by} chose {call.name}({arguments}): {call.status.value}{result}"
