"""Sparse derivatives: which entries they have, and how few directions give them all.

`detection` and `reach` find the pattern, `coloring` is that pattern as data, `entries` reads the entries from
what the directions give; `library` is asdex, which they stand on.
"""
