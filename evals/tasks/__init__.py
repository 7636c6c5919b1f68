"""What is evaluated: each task drives the production code and scores what it gives back."""
