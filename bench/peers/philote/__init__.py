"""Philote-MDO: disciplines with inputs of fixed shapes, over streams of gRPC."""
