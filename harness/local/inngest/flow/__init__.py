"""Flow control: one file a setting."""
