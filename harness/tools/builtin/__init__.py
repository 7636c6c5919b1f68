"""The tools that come with the harness."""

from harness.tools.builtin.arithmetic import calculate
from harness.tools.builtin.clock import current_time
from harness.tools.builtin.control import ask_user, wait, wait_until
from harness.tools.builtin.files import (
    delete_file,
    list_tree,
    patch_file,
    view_file,
    write_file,
)
from harness.tools.builtin.git import git_branches, git_commit, git_diff, git_log, git_switch
from harness.tools.builtin.memories import search_memory
from harness.tools.builtin.pages import fetch_page
from harness.tools.builtin.preferences import (
    forget_preference,
    list_preferences,
    remember_preference,
)
from harness.tools.builtin.search import search_text
from harness.tools.registry import Tool

BUILTIN: tuple[Tool, ...] = (
    list_tree,
    view_file,
    search_text,
    write_file,
    search_memory,
    remember_preference,
    ask_user,
    wait,
    current_time,
    calculate,
    patch_file,
    delete_file,
    git_log,
    git_diff,
    git_branches,
    git_switch,
    git_commit,
    fetch_page,
    list_preferences,
    forget_preference,
    wait_until,
)
