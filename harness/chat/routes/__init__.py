"""The API's routes."""

from harness.chat.routes.health import router as health
from harness.chat.routes.me import router as me
from harness.chat.routes.messages import router as messages
from harness.chat.routes.preferences import router as preferences
from harness.chat.routes.threads import router as threads

ROUTERS = [messages, threads, preferences, me, health]
