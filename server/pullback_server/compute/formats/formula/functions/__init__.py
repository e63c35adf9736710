"""The functions that a formula may call, grouped by kind; `table` puts them together."""
