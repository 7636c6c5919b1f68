"""The tools that come with the harness."""

from harness.tools.builtin.arithmetic import calculate
from harness.tools.builtin.clock import current_time
from harness.tools.builtin.control import ask_user, wait
from harness.tools.builtin.files import list_tree, view_file, write_file
from harness.tools.builtin.memories import search_memory
from harness.tools.builtin.preferences import remember_preference
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
)
