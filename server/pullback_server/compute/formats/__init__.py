"""The formats that programs come in, each read into a JAX-traceable function of flat leaves.

`reader` chooses the format; each format has a folder of its own.
"""
