"""ONNX models, read into JAX (docs/onnx.md). Needs `pullback[onnx]`.

A model goes from left to right: `reading` turns the bytes into the plain data of `syntax`, `evaluation`
walks the graph with one rule of `operators` for each operator, and `lift` makes it a function that JAX can
trace. Nothing of ONNX's messages is left when a program runs, and nothing that a model says is ever
opened, imported or run as Python.
"""
