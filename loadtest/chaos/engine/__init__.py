"""The target `engine`: the local Inngest engine and an app of the unmodified SDK."""
