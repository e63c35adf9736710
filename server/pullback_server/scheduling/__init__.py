"""What stands between services and engine: who may come in, who runs when, and with whom.

`scheduler` is what services ask. `admission` sheds load, and the `batcher` decides when an evaluation runs,
in the `lane` of its kind: at once, with others (`joining`), in pieces (`splitting`), by executables that are
there (`serving`, `buckets`), while others are compiled (`warming`).
"""
