"""The commands that measure and compare, one file each."""
