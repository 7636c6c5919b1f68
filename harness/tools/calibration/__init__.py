"""What selection's weights are fitted on, and the fitting."""
