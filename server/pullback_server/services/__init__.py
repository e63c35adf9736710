"""The gRPC services: one module each, and what they share.

`functions`, `evaluation`, `graphs`, `capabilities`, `health` and `reflection` are the services. `binding`
puts one on the wire and `status` is the one place where errors become gRPC status. `requests` checks what
comes in against the signature, `constants` receives a program's large constants, `streams` answers many
requests of one stream, `budget` bounds the bytes in hand and `announced` reads large requests when there is
room, `calls` counts those that are open, and `conversion` makes messages of the model.
"""
