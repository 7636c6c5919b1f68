"""A simulated model server: OpenAI's chat API over seeded words and delays.

It serves tests and load runs. Nothing that it says is an answer, so its figures are always
labelled `simulated` and never counted as accuracy.
"""
