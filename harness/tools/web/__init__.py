"""HTTP for tools: listed hosts only, and never a private address that is not listed itself."""

from harness.tools.web.fetching import Fetcher, Page

__all__ = ["Fetcher", "Page"]
