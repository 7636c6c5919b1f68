"""Fitting what the pipeline decides with, from labelled data or from its users' feedback."""
