"""Who calls: tenants, and what their callers may do. Knows no gRPC.

`callers` says who calls and `identity` for how long that holds. `directory` is what is known of tenants,
`reading` reads it from its file, and `current` holds the one that counts until a new one replaces it.
"""
