"""The commands of this package, on the one command line."""

import typer

from evals.commands.calls import eval_calls
from evals.commands.compare import compare
from evals.commands.pipeline import eval_pipeline
from evals.commands.report import report
from evals.commands.retrieval import eval_retrieval
from evals.commands.tools import eval_tools
from evals.datasets.command import app as data
from evals.demo.command import demo
from evals.fit.command import app as fit
from evals.sweep.command import sweep


def register(app: typer.Typer) -> None:
    """Add this package's commands to the command line."""
    measuring = typer.Typer(no_args_is_help=True, help="Measure a part of the pipeline.")
    measuring.command("retrieval")(eval_retrieval)
    measuring.command("tools")(eval_tools)
    measuring.command("calls")(eval_calls)
    measuring.command("pipeline")(eval_pipeline)
    app.add_typer(measuring, name="eval")
    app.add_typer(data, name="data")
    app.add_typer(fit, name="fit")
    app.command("sweep")(sweep)
    app.command("compare")(compare)
    app.command("report")(report)
    app.command("demo")(demo)
