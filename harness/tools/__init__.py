"""What a model may do: the registry of tools, choosing among them, and running them."""
