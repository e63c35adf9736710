"""What the server is about, as frozen data: neither gRPC nor JAX.

`quantities` says what can be wanted, `evaluation` what is computed and what came of it, `graphs` what
graph is asked for, `functions` what is registered, `devices` what computes, `messages` and `frames` how
front and worker talk.
"""
