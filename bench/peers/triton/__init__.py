"""NVIDIA's Triton, which the wheel of `nvidia-pytriton` carries, with its Python backend, over gRPC."""
