"""Looking at the workspace's files, and writing them."""

from typing import Annotated

from pydantic import Field

from harness.models import Effect
from harness.tools.builtin import _choices
from harness.tools.context import ToolContext
from harness.tools.errors import ToolError
from harness.tools.registry import example, tool
from harness.tools.workspace import Workspace

MAX_PAGED_BYTES = 4 * 1024 * 1024  # of a file that is read in pieces
MAX_CHARS = 64 * 1024  # that are written at once

FolderPath = Annotated[
    str, Field(description="Folder in the workspace; '.' is the workspace itself", max_length=500)
]
FilePath = Annotated[
    str, Field(description="Path of the file in the workspace", min_length=1, max_length=500)
]


@tool(
    effect=Effect.READ,
    choices={"folder": _choices.folders},
    examples=[
        example("What is in the drafts folder?", folder="drafts"),
        example("Show me all the files you have.", folder="."),
        example("List the contents of src/app", folder="src/app"),
        example("Which documents are in the invoices directory?", folder="invoices"),
        example("What files do we have in the workspace?", folder="."),
        example("Can you see what's inside the photos directory", folder="photos"),
        example("Give me an overview of the project's structure", folder="."),
        example("ls the scripts folder", folder="scripts"),
    ],
)
def list_tree(folder: FolderPath, *, context: ToolContext) -> list[str]:
    """List the files and folders in a folder of the workspace, as a tree."""
    entries = Workspace(context.workspace).entries(folder)
    return [f"{path}/" if is_folder else path for path, is_folder in entries] or ["(nothing)"]


@tool(
    effect=Effect.READ,
    choices={"path": _choices.files},
    examples=[
        example("Open drafts/letter.txt", path="drafts/letter.txt"),
        example("What does the changelog say?", path="changelog.md"),
        example("Show me the file config/server.yaml", path="config/server.yaml"),
        example("Read me the minutes of the March meeting", path="minutes/march.md"),
        example("Please display todo.md", path="todo.md"),
        example("I want to see what's written in the travel plan", path="travel-plan.md"),
        example("view src/main.py", path="src/main.py"),
        example("Let me look at the contents of budget.csv", path="budget.csv"),
        example("Pull up the packing list document", path="lists/packing.md"),
        example("Show lines 40 to 59 of src/main.py", path="src/main.py", first_line=40, lines=20),
    ],
)
def view_file(
    path: FilePath,
    first_line: Annotated[int, Field(description="Line to begin with, from 1", ge=1)] = 1,
    lines: Annotated[int, Field(description="How many lines; 0 for all to the end", ge=0)] = 0,
    *,
    context: ToolContext,
) -> str:
    """Open a file of the workspace and read its text."""
    workspace = Workspace(context.workspace)
    if first_line == 1 and lines == 0:
        return workspace.read(path)
    found = workspace.read(path, MAX_PAGED_BYTES).splitlines(keepends=True)
    if first_line > len(found):
        raise ToolError(f"{path!r} has {len(found)} lines; name one of them to begin with")
    return "".join(found[first_line - 1 :][: lines or None])


@tool(
    effect=Effect.WRITE,
    permission="ask",
    idempotent=False,
    examples=[
        example(
            "Write 'call the bank on Monday' to reminders.txt",
            path="reminders.txt",
            content="call the bank on Monday",
        ),
        example(
            "Save a file notes/trip.md that says: train at 8:40, bring tickets",
            path="notes/trip.md",
            content="train at 8:40, bring tickets",
        ),
        example("Create hello.py with print('hello')", path="hello.py", content="print('hello')"),
        example(
            "Make a new document called ideas.md containing the line: paint the fence",
            path="ideas.md",
            content="paint the fence",
        ),
        example(
            "Put the text 'closed on Fridays' into a file named hours.txt",
            path="hours.txt",
            content="closed on Fridays",
        ),
        example(
            "Store this in lists/guests.md: Ana, Tom and Lucy",
            path="lists/guests.md",
            content="Ana, Tom and Lucy",
        ),
        example(
            "Write down the phone number 555 0199 in contacts.txt",
            path="contacts.txt",
            content="555 0199",
        ),
        example(
            "Note down in log.md that the pump was replaced",
            path="log.md",
            content="The pump was replaced.",
        ),
    ],
)
def write_file(
    path: FilePath,
    content: Annotated[str, Field(description="The file's whole text", max_length=MAX_CHARS)],
    *,
    context: ToolContext,
) -> str:
    """Write text to a file of the workspace, making the file or replacing what it says."""
    replaced = Workspace(context.workspace).write(path, content)
    return f"{'Replaced' if replaced else 'Wrote'} {path} ({len(content)} characters)"


# Not idempotent: where the new text contains the old one, a second time changes it again.
@tool(
    effect=Effect.WRITE,
    permission="ask",
    idempotent=False,
    choices={"path": _choices.files},
    examples=[
        example(
            "In prices.md replace '12 euros' with '14 euros'",
            path="prices.md",
            old="12 euros",
            new="14 euros",
        ),
        example(
            "Change debug = true to debug = false in app.ini",
            path="app.ini",
            old="debug = true",
            new="debug = false",
        ),
        example(
            "Fix the typo 'recieve' in docs/intro.md, it should be 'receive'",
            path="docs/intro.md",
            old="recieve",
            new="receive",
        ),
        example(
            "Edit guests.txt so that it says Maria instead of Marie",
            path="guests.txt",
            old="Marie",
            new="Maria",
        ),
        example(
            "Rename the function old_total to total in src/sums.py",
            path="src/sums.py",
            old="old_total",
            new="total",
        ),
        example(
            "Update the version in setup.cfg from 1.2 to 1.3",
            path="setup.cfg",
            old="1.2",
            new="1.3",
        ),
        example(
            "Swap 'Tuesday' for 'Thursday' in plan.md",
            path="plan.md",
            old="Tuesday",
            new="Thursday",
        ),
        example("Remove the word 'very' from letter.txt", path="letter.txt", old="very ", new=""),
    ],
)
def patch_file(
    path: FilePath,
    old: Annotated[
        str,
        Field(
            description="The text to replace, exactly as it stands there, and only once",
            min_length=1,
            max_length=MAX_CHARS,
        ),
    ],
    new: Annotated[str, Field(description="The text to put there", max_length=MAX_CHARS)],
    *,
    context: ToolContext,
) -> str:
    """Change a part of a file of the workspace: replace one piece of its text by another."""
    if old == new:
        raise ToolError("the old text and the new are the same; say what should be different")
    line = Workspace(context.workspace).patch(path, old, new)
    return f"Changed {path} at line {line}"


# Not idempotent: by a second time, there may be another file of that name.
@tool(
    effect=Effect.WRITE,
    permission="ask",
    idempotent=False,
    choices={"path": _choices.both},
    examples=[
        example("Delete old-list.txt", path="old-list.txt"),
        example("Remove the file drafts/second.md", path="drafts/second.md"),
        example("Get rid of the empty folder tmp", path="tmp"),
        example("Please erase notes/rumours.md", path="notes/rumours.md"),
        example("Throw away the document about the old lease", path="lease-old.md"),
        example("rm build/output.log", path="build/output.log"),
        example("I no longer need backup.csv, delete it", path="backup.csv"),
        example("Clean up: remove test_old.py", path="test_old.py"),
    ],
)
def delete_file(
    path: Annotated[
        str,
        Field(description="Path of the file or empty folder", min_length=1, max_length=500),
    ],
    *,
    context: ToolContext,
) -> str:
    """Delete a file or an empty folder of the workspace."""
    was_folder = Workspace(context.workspace).delete(path)
    return f"Deleted the {'folder' if was_folder else 'file'} {path}"
