"""Who calls: tenants, and what their callers may do. Knows no gRPC."""
