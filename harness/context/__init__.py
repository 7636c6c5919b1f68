"""What a model is shown: history, preferences and memories, within a budget."""
