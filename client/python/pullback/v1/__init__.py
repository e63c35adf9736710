"""Message classes of the API, generated from `proto/pullback/v1/` by `./dev generate`."""
