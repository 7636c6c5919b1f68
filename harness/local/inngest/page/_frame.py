"""What all pages share: the head, the way about, and the script that keeps them fresh."""

from harness.local.inngest.page._markup import Html, join, link, tag

CHANGES = "/page/changes"

_STYLE = """
:root{--ink:#22303c;--soft:#5b6c7d;--line:#dfe5ea;--accent:#1f6f8b;--bad:#b3402a;--good:#2f7d4f}
*{box-sizing:border-box}
body{margin:0;background:#f6f8f9;color:var(--ink);font:15px/1.5 system-ui,sans-serif}
header{background:#fff;border-bottom:1px solid var(--line);padding:10px 24px}
header a{margin-right:18px}
main{max-width:1100px;margin:0 auto;padding:20px 24px 60px}
a{color:var(--accent);text-decoration:none}a:hover{text-decoration:underline}
h1{font-size:1.4rem;margin:.4rem 0}h2{font-size:1.1rem;margin:1.6rem 0 .4rem}
table{border-collapse:collapse;width:100%;background:#fff;font-variant-numeric:tabular-nums}
th{text-align:left;color:var(--soft);font-weight:600;font-size:.85rem}
th,td{padding:6px 10px;border-bottom:1px solid var(--line);vertical-align:top;
overflow-wrap:anywhere}
pre{margin:0;white-space:pre-wrap;overflow-wrap:anywhere;font-size:.82rem;max-height:22rem;
overflow:auto}
form{display:flex;gap:10px;flex-wrap:wrap;margin:.6rem 0}
input,select,button{font:inherit;padding:3px 8px}
.soft{color:var(--soft)}.COMPLETED{color:var(--good)}.FAILED,.failed{color:var(--bad)}
.CANCELLED{color:var(--soft)}
.lane{position:relative;height:16px;min-width:260px;background:#eef2f4;border-radius:3px}
.lane i{position:absolute;top:0;height:16px;border-radius:3px;min-width:2px}
.queued{background:#c9d3da}.ran{background:#1f6f8b}.waited{background:#d9a441}
.failed-bar{background:#b3402a}
"""
# What changed is fetched again and put in place; what its reader opened or typed is left alone.
_SCRIPT = f"""
const changes = new EventSource("{CHANGES}");
let busy = false, again = false;
async function refresh() {{
  if (busy) {{ again = true; return; }}
  busy = true;
  try {{
    const answer = await fetch(location.href, {{headers: {{accept: "text/html"}}}});
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const now = document.querySelector("#live"), next = fresh.querySelector("#live");
    if (answer.ok && next && now.innerHTML !== next.innerHTML) now.replaceWith(next);
  }} catch (error) {{ /* the engine is away; its next change comes when it is back */ }}
  busy = false;
  if (again) {{ again = false; refresh(); }}
}}
changes.onmessage = refresh;
"""


def page(title: str, live: Html, above: Html | None = None) -> Html:
    """A whole page.

    Args:
        live: what is kept fresh.
        above: what is not, such as a form.
    """
    head = tag(
        "head",
        Html('<meta charset="utf-8"><link rel="icon" href="data:,">'),
        tag("title", f"{title} · Inngest engine"),
        tag("style", Html(_STYLE)),
    )
    about = tag("header", link("/", "Functions"), link("/runs", "Runs"), link("/events", "Events"))
    body = tag(
        "body",
        about,
        tag("main", tag("h1", title), above, tag("div", live, id="live")),
        tag("script", Html(_SCRIPT)),
    )
    return join(Html("<!doctype html>\n"), tag("html", head, body, lang="en"))
