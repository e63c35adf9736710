"""The formula format: functions as text, for clients that have neither JAX nor Python.

A formula goes through these rooms: `tokens` cuts the text, `parser` makes a tree of it by `grammar`,
`evaluation` walks the tree with `operators`, `functions` and `indexing` on `values`, `lift` makes it a
function that JAX can trace, and `diagnostics` words what is wrong. Nothing of a client's text is ever
run as Python: every operator, function, word and attribute is looked up in a table of ours.

The language is described in docs/formula.md.
"""
