"""The compiler: from plans to executables, and from tensors through executables to results.

`trace` makes a plan a jaxpr, `executable` makes that machine code, `layout` finds out which tensors are
batched, `tiles` cuts a batch into pieces of few sizes, and `run` does the running.
"""
