"""`harness chaos`: processes are killed under load, and what must hold is counted."""
