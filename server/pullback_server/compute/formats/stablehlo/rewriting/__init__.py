"""What travelled in pieces, put together again, so that it has its own derivatives. Knows plain data only."""
