"""UM-Bridge: models over HTTP, with JSON or shared memory."""
