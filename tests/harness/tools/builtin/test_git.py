"""The git tools: what they say, and which of them ask first."""

import pytest
from dulwich import porcelain

from harness.tools.builtin import BUILTIN

SPECS = {each.spec.name: each.spec for each in BUILTIN}


@pytest.fixture
def repository(root):
    porcelain.init(root).close()
    (root / ".git" / "HEAD").write_text("ref: refs/heads/main\n")


async def test_a_workspace_that_is_no_repository_says_so(call):
    for name in ("git_log", "git_diff", "git_branches"):
        result = await call(name)
        assert result.error == (
            "the workspace is no git repository; whoever owns it can run 'git init' there"
        )


async def test_work_is_committed_on_a_branch_and_seen_again(call, repository):
    assert (await call("git_log")).value == ["(no commit)"]
    assert (await call("git_branches")).value == ["* main"]
    assert "untracked: readme.md" in (await call("git_diff")).value
    committed = await call("git_commit", message="Begin\n\nwith all files")
    assert committed.value.endswith(": Begin")
    assert (await call("git_diff")).value == "no file differs from the last commit"
    (line,) = (await call("git_log", path="./notes")).value
    assert line.endswith(" harness: Begin")
    made = await call("git_switch", branch="plans")
    assert made.value == "Made the branch plans and switched to it"
    assert (await call("git_branches")).value == ["main", "* plans"]
    assert (await call("git_switch", branch="main")).value == "Switched to main"


@pytest.mark.parametrize("name", ["git_log", "git_diff"])
async def test_a_path_outside_the_workspace_is_refused(call, repository, name):
    assert "outside of the workspace" in (await call(name, path="../x")).error


@pytest.mark.parametrize(
    ("name", "permission"),
    [
        ("git_log", "auto"),
        ("git_diff", "auto"),
        ("git_branches", "auto"),
        ("git_switch", "ask"),
        ("git_commit", "ask"),
    ],
)
def test_what_only_reads_does_not_ask(name, permission):
    spec = SPECS[name]
    assert spec.permission == permission
    assert spec.effect == ("read" if permission == "auto" else "write")
    assert spec.idempotent == (permission == "auto")
