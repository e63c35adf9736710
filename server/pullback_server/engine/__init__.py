"""What computes, behind one small interface.

`interface` is all that floors above know; `pool` implements it with worker processes on this machine.
A pool has workers, a `worker` has one `session` after another, a session is a `process` with a
`channel` to it, which writes through `outgoing`. Tensors cross as `crossing` lays them out, the large ones in
the `arena`; `kinds` have numbers. `devices` says which workers there are. Never imports JAX: it starts the
worker by name.
"""
