"""Adapters of other services: for each a server with the same jitted JAX gradient, and the ways to call it.

A server prints its address, and serves until it is told to end. What it must be told, and how a batch is
brought to it, follows each project's own examples; where one has no batches, the server's author is taken to
have written a model for them.
"""
