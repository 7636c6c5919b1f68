"""`harness data`: which datasets there are, and how others become one."""

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from evals.datasets.kinds import AnySet, Kind
    from evals.datasets.listing import Listed
    from evals.datasets.records import CatalogueTool
    from evals.datasets.threads import Readable

app = typer.Typer(no_args_is_help=True, help="The datasets to measure on.")
DataDirOption = Annotated[
    Path | None, typer.Option("--data-dir", help="Holds one folder for each dataset.")
]
NewDirOption = Annotated[
    Path, typer.Option("--data-dir", help="Where the set's folder is made, for evals to find.")
]
NameArgument = Annotated[str, typer.Argument(help="The set's name.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace a set that is there.")]
SHOWN_HASH = 12


@app.callback()
def data() -> None:
    """The datasets to measure on."""


@app.command("list")
def list_datasets(
    data_dir: DataDirOption = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Also write them to this file.")
    ] = None,
) -> None:
    """List the project's own sets, yours and the public ones: size, licence, hash, place."""
    from evals.datasets.listing import list_sets

    found = list_sets(data_dir)
    console = Console(highlight=False, soft_wrap=True)
    table = Table("dataset", "kind", "tune", "test", "licence", "sha256")
    for each in found:
        table.add_row(each.name, each.kind, *_cells(each))
    console.print(table)
    for each in found:
        place = each.remedy or f"{each.name}: {each.what}, in {each.folder}"
        console.print(place, markup=False)
    if json_file:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        listed = [each.model_dump(mode="json") for each in found]
        json_file.write_text(json.dumps(listed, indent=2) + "\n", "utf-8")


@app.command("import")
def import_dataset(
    name: NameArgument,
    data_dir: NewDirOption,
    messages: Annotated[
        Path | None, typer.Option("--messages", help="Of conversations; with --questions.")
    ] = None,
    questions: Annotated[Path | None, typer.Option("--questions")] = None,
    catalogue: Annotated[
        Path | None, typer.Option("--catalogue", help="Of tools; with --queries.")
    ] = None,
    queries: Annotated[Path | None, typer.Option("--queries")] = None,
    calls: Annotated[Path | None, typer.Option("--calls", help="Cases of calls.")] = None,
    cases: Annotated[
        Path | None, typer.Option("--cases", help="Conversations with the whole pipeline.")
    ] = None,
    judge_examples: Annotated[
        Path | None, typer.Option("--judge-examples", help="Beside --cases.")
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option("--column", help="FIELD=COLUMN, or PART.FIELD=COLUMN; may be repeated."),
    ] = None,
    separator: Annotated[
        str, typer.Option("--separator", help="Between items of a list in one cell.")
    ] = ",",
    test_share: Annotated[
        float,
        typer.Option("--test-share", min=0, max=1, help="Of the samples, where no column says."),
    ] = 0.5,
    licence: Annotated[
        str, typer.Option("--licence", help="Of the data, for its datasheet.")
    ] = "not stated",
    force: ForceOption = False,
) -> None:
    """Make a set of your own JSONL, CSV or Parquet files."""
    from evals.datasets.columns import Columns
    from evals.datasets.folder import refuse_name
    from evals.datasets.importer import import_set

    refuse_name(name)
    given = {
        "messages": messages, "questions": questions, "catalogue": catalogue, "queries": queries,
        "calls": calls, "cases": cases, "judge_examples": judge_examples,
    }  # fmt: skip
    files = {part: path for part, path in given.items() if path is not None}
    kind = _kind_of_parts(set(files))
    columns = Columns.parse(column or (), kind.parts, separator)
    done = import_set(
        kind, files, data_dir / name, columns,
        test_share=test_share, licence=licence, force=force,
    )  # fmt: skip
    _print_written(data_dir / name, [done.data])
    typer.echo(f"splits {done.split}")
    for part, names in done.ignored.items():
        typer.echo(f"columns of {part} that were not read: {', '.join(names)}")


@app.command("export")
def export_dataset(
    name: NameArgument,
    out: Annotated[Path, typer.Argument(help="The folder to write.")],
    data_dir: DataDirOption = None,
    form: Annotated[str, typer.Option("--format", help="jsonl, csv or parquet.")] = "jsonl",
    force: ForceOption = False,
) -> None:
    """Write any set, also a public one, in the project's own format."""
    from evals.datasets.exporter import export_set
    from evals.datasets.records import DatasetError
    from evals.datasets.tables import FORMATS

    chosen = next((each for each in FORMATS if each == form), None)
    if chosen is None:
        raise DatasetError(f"--format {form!r} is unknown; use {', '.join(FORMATS)}")
    _print_written(out, export_set(name, out, chosen, data_dir, force=force))


@app.command("from-threads")
def from_threads(
    name: NameArgument,
    data_dir: NewDirOption,
    user: Annotated[
        str | None, typer.Option("--user", help="Only this user's threads; default: everybody's.")
    ] = None,
    thread: Annotated[str | None, typer.Option("--thread", help="Only this thread.")] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option("--keep", help="A kind of thing to leave unredacted; may be repeated."),
    ] = None,
    region: Annotated[
        str | None,
        typer.Option("--region", help="Also find phone numbers without +, as dialled in DE, US …"),
    ] = None,
    force: ForceOption = False,
) -> None:
    """Turn real threads into a set: redacted, with what people did as labels.

    Nothing else is a label: memories that a reader said had helped, tools whose calls succeeded.
    What nobody judged is written beside them, to be labelled.
    """
    from evals.datasets.folder import refuse_name, refuse_taken
    from evals.datasets.from_threads import KEEPABLE, make_set, write_set
    from evals.datasets.records import DatasetError
    from evals.datasets.redaction import refuse_region

    target = data_dir / name
    refuse_name(name)
    refuse_taken(target, force)
    refuse_region(region)
    if unknown := set(keep or ()) - set(KEEPABLE):
        raise DatasetError(f"--keep {min(unknown)!r} is unknown; use {', '.join(KEEPABLE)}")
    found, tools = asyncio.run(_read_threads(user, thread))
    if not found.threads:
        raise DatasetError(
            f"no thread found for --user {user or 'any'} and --thread {thread or 'any'}; "
            "`harness doctor` says which Convex is asked"
        )
    made = make_set(found, tools, keep=keep or (), region=region)
    write_set(made, target, force=force)
    counts = [f"{len(records)} {part}" for part, records in made.parts.items()]
    counts += [f"{len(rows)} {part} to be labelled" for part, rows in made.todo.items()]
    typer.echo(f"wrote {target}: {', '.join(counts)}")
    for kind, count in sorted(made.redactor.counts.items()):
        typer.echo(f"replaced {count} × {kind}, {made.redactor.distinct[kind]} different")
    typer.echo("unreviewed: read it through before it goes anywhere")


async def _read_threads(
    user: str | None, thread: str | None
) -> "tuple[Readable, list[CatalogueTool]]":
    from evals.datasets.records import CatalogueTool
    from evals.datasets.threads import read_threads
    from harness.local.session import services_or_private
    from harness.store import Store
    from harness.tools.catalogue import catalogue

    async with services_or_private({"convex"}, typer.echo) as settings:
        specs, missing = await catalogue(settings)
        for line in missing:
            typer.echo(line, err=True)
        key = settings.convex_deploy_key
        async with Store(settings.convex_url, key.get_secret_value() if key else None) as store:
            found = await read_threads(store, user_id=user, thread_id=thread)
    return found, [
        CatalogueTool(name=spec.name, description=spec.description, parameters=spec.parameters)
        for spec in specs
    ]


def _kind_of_parts(parts: set[str]) -> "Kind":
    from evals.datasets.kinds import KINDS
    from evals.datasets.records import DatasetError

    for kind in KINDS.values():
        if set(kind.needed) <= parts <= set(kind.parts):
            return kind
    kinds = "; ".join(
        f"{kind.name}: {' and '.join(f'--{part}' for part in kind.needed)}"
        for kind in KINDS.values()
    )
    given = " and ".join(f"--{part}" for part in sorted(parts)) or "no file"
    raise DatasetError(f"{given} makes no set; give the files of one kind ({kinds})")


def _print_written(folder: Path, sets: "list[AnySet]") -> None:
    from evals.datasets.kinds import kind_of

    for each in sets:
        kind = kind_of(each)
        parts = kind.parts_of(each)
        counts = ", ".join(f"{len(records)} {part}" for part, records in parts.items())
        typer.echo(f"wrote {folder}: {counts}")


def _cells(each: "Listed") -> tuple[str, str, str, str]:
    tune, test = (str(each.samples.get(split, "–")) for split in ("tune", "test"))
    return tune, test, each.licence, (each.sha256 or "–")[:SHOWN_HASH]
