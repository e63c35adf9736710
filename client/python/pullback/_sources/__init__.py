"""What a user registers, and the programs that it is; without I/O but for reading a file.

`program` says what can be registered; there is one module for each kind of thing that is no Python function.
The packages that these come from (JAX, onnx, PyTorch) are not imported before one comes.
"""
