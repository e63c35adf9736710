"""Pullback: gradients, Jacobians and Hessians of any function, over gRPC."""
