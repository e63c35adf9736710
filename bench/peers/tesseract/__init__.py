"""Tesseract: a function with its derivatives as endpoints over HTTP, with JSON that holds base64."""
