"""Looking at the workspace's files, and writing them."""

from typing import Annotated

from pydantic import Field

from harness.models import Effect
from harness.tools.builtin import _choices
from harness.tools.context import ToolContext
from harness.tools.registry import example, tool
from harness.tools.workspace import Workspace

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
def list_tree(folder: FolderPath = ".", *, context: ToolContext) -> list[str]:
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
    ],
)
def view_file(path: FilePath, *, context: ToolContext) -> str:
    """Open a file of the workspace and read its text."""
    return Workspace(context.workspace).read(path)


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
    content: Annotated[str, Field(description="The file's whole text", max_length=64 * 1024)],
    *,
    context: ToolContext,
) -> str:
    """Write text to a file of the workspace, making the file or replacing what it says."""
    replaced = Workspace(context.workspace).write(path, content)
    return f"{'Replaced' if replaced else 'Wrote'} {path} ({len(content)} characters)"
