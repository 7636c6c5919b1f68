"""What is computed from a sample's output and its gold."""
