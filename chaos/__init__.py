"""Harm done to a real server under load, to see whether anybody notices (README.md)."""
