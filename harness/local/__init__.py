"""One machine's stack: engines, launchers and their supervisor."""
