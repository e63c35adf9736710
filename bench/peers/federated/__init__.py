"""pytensor-federated: arrays to arrays over grpclib, on one stream for each client."""
