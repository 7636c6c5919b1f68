"""What a model is shown: history, preferences and memories, within a budget."""

import harness._jsonschema  # noqa: F401  before chromadb imports it
