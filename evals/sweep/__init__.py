"""Sweeps: one task under several settings, each a kept run, held against the first of them."""
