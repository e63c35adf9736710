"""The Pullback server. ARCHITECTURE.md shows its floors; `python -m pullback_server` starts it."""
