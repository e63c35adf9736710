"""Who is measured beside the peers: the bare echo, JAX in the same process, and Pullback."""
