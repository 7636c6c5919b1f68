"""Git on the workspace: what changed, what was committed, which branches there are."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Annotated

from pydantic import Field

from harness.models import Effect
from harness.tools.context import ToolContext
from harness.tools.registry import example, tool
from harness.tools.repository import Repository
from harness.tools.workspace import path_parts

MOST_COMMITS = 50

OnlyPath = Annotated[
    str, Field(description="Only of this file or folder; empty for all", max_length=500)
]


@contextmanager
def _repository(context: ToolContext) -> Iterator[Repository]:
    with closing(Repository(context.workspace)) as repository:
        yield repository


@tool(
    effect=Effect.READ,
    examples=[
        example("Show the git log"),
        example("What were the last commits?"),
        example("Who changed something in the repository lately?"),
        example("Give me the commit history"),
        example("Which commits are on this branch?"),
        example("When was the latest commit made and by whom"),
        example("git log"),
        example("Show the last 3 commits that touched src/main.py", path="src/main.py", count=3),
    ],
)
def git_log(
    path: OnlyPath = "",
    count: Annotated[int, Field(description="How many commits", ge=1, le=MOST_COMMITS)] = 10,
    *,
    context: ToolContext,
) -> list[str]:
    """Show the history of git commits on the current branch, the newest first."""
    with _repository(context) as repository:
        return repository.log(count, "/".join(path_parts(path))) or ["(no commit)"]


@tool(
    effect=Effect.READ,
    examples=[
        example("What have I changed since the last commit?"),
        example("Show the git diff"),
        example("Which changes are not committed yet?"),
        example("git status"),
        example("Is there anything uncommitted in the repository?"),
        example("Show me the differences in the working tree"),
        example("What would go into the next commit?"),
        example("Diff src/main.py against HEAD", path="src/main.py"),
    ],
)
def git_diff(path: OnlyPath = "", *, context: ToolContext) -> str:
    """Show which files differ from the last git commit, staged or not, and how."""
    with _repository(context) as repository:
        return repository.diff("/".join(path_parts(path)))


@tool(
    effect=Effect.READ,
    examples=[
        example("Which branches are there?"),
        example("List the git branches"),
        example("What branch am I on?"),
        example("Show all branches of the repository"),
        example("git branch"),
        example("Is there a branch for the release?"),
        example("Tell me the current branch"),
    ],
)
def git_branches(*, context: ToolContext) -> list[str]:
    """List the git branches of the repository and say which is the current one."""
    with _repository(context) as repository:
        current = repository.branch()
        names = sorted({*repository.branches(), *([current] if current else [])})
        return [f"* {name}" if name == current else name for name in names]


# Not idempotent: by a second time, the branch may stand elsewhere.
@tool(
    effect=Effect.WRITE,
    permission="ask",
    idempotent=False,
    examples=[
        example("Switch to the branch main", branch="main"),
        example("Create a branch called fix-login", branch="fix-login"),
        example("Check out develop", branch="develop"),
        example("Start a new branch named menu-redesign", branch="menu-redesign"),
        example("Go back to the release branch", branch="release"),
        example("git checkout -b try-cache", branch="try-cache"),
        example("git switch hotfix", branch="hotfix"),
        example("Make a branch for the new parser", branch="new-parser"),
    ],
)
def git_switch(
    branch: Annotated[
        str, Field(description="The branch's name, as 'fix-login'", min_length=1, max_length=200)
    ],
    *,
    context: ToolContext,
) -> str:
    """Switch to a git branch; one that does not exist yet is made."""
    with _repository(context) as repository:
        made = repository.switch(branch)
    return f"Made the branch {branch} and switched to it" if made else f"Switched to {branch}"


# Not idempotent: a second time would commit what changed since.
@tool(
    effect=Effect.WRITE,
    permission="ask",
    idempotent=False,
    examples=[
        example("Commit everything with the message 'Fix typo'", message="Fix typo"),
        example("git commit -am 'Add tests for login'", message="Add tests for login"),
        example("Please commit my changes as 'Update prices'", message="Update prices"),
        example("Make a commit that says: Remove dead code", message="Remove dead code"),
        example("Check in the work so far: first draft", message="First draft"),
        example("Commit this, message 'Bump version'", message="Bump version"),
        example("Save the state in git as 'Before the move'", message="Before the move"),
        example("Record these changes in git: new logo", message="New logo"),
    ],
)
def git_commit(
    message: Annotated[
        str, Field(description="What the commit says", min_length=1, max_length=4000)
    ],
    *,
    context: ToolContext,
) -> str:
    """Commit all changes of the workspace to git, with a message."""
    with _repository(context) as repository:
        made = repository.commit(message, context.git_author)
    return f"Committed {made}: {message.strip().splitlines()[0]}"
