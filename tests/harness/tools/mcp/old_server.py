"""An MCP server that speaks the protocol of 2025 by hand: one line of JSON after another."""

import json
import sys

BROKEN = {"type": "object", "properties": {"colour": {"type": "purple"}}}
TOOLS = [{"name": "one", "inputSchema": {"type": "object"}}]


def write(**message: object) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def answer(method: str) -> dict[str, object] | None:
    if method == "initialize":
        return {
            "protocolVersion": "2025-06-18",
            "capabilities": {"tools": {"listChanged": True}},
            "serverInfo": {"name": "old", "version": "1"},
        }
    if method == "tools/list":
        return {"tools": TOOLS}
    if method == "tools/call":
        TOOLS.append({"name": "two", "inputSchema": BROKEN})
        TOOLS.append({"name": "three", "inputSchema": {"type": "object"}})
        write(method="notifications/tools/list_changed")
        image = {"type": "image", "data": "aGk=", "mimeType": "image/png"}
        return {"content": [{"type": "text", "text": "done"}, image]}
    return None


for line in sys.stdin:
    request = json.loads(line)
    if "id" not in request:
        continue
    result = answer(request["method"])
    if result is None:
        write(id=request["id"], error={"code": -32601, "message": "unknown"})
    else:
        write(id=request["id"], result=result)
