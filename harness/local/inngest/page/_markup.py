"""HTML that cannot be broken out of: a text becomes part of it only escaped."""

import html


class Html(str):
    """Text that is HTML already."""


Child = str | int | None


def tag(name: str, /, *children: Child, **attributes: str) -> Html:
    """An element.

    Args:
        name: such as `td`.
        children: texts, which are escaped, and HTML, which is not; None is left out.
        attributes: escaped; a name's trailing underscore is left out, `class_` is `class`.
    """
    given = "".join(
        f' {key.rstrip("_")}="{html.escape(value)}"' for key, value in attributes.items()
    )
    return Html(f"<{name}{given}>{join(*children)}</{name}>")


def join(*children: Child) -> Html:
    """Several texts and elements as one."""
    return Html("".join(_escaped(child) for child in children if child is not None))


def link(target: str, *children: Child) -> Html:
    """A link to another of the engine's pages."""
    return tag("a", *children, href=target)


def table(heads: tuple[str, ...], rows: list[Html]) -> Html:
    """A table of rows, or a word where there are none."""
    if not rows:
        return tag("p", "none", class_="soft")
    head = tag("tr", *(tag("th", head) for head in heads))
    return tag("table", tag("thead", head), tag("tbody", *rows))


def row(*cells: Child) -> Html:
    """A table's row."""
    return tag("tr", *(tag("td", cell) for cell in cells))


def _escaped(child: str | int) -> str:
    return child if isinstance(child, Html) else html.escape(str(child))
