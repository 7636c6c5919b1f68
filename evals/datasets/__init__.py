"""The project's own evaluation sets and their loader."""
