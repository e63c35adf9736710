"""One builder for each operation of StableHLO and CHLO that is served, by kinds."""
