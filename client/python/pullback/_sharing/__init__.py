"""Shared memory with a server on the same machine: tensors cross without entering a message.

`segments` makes memory and hands it over, `pool` deals it out, `forks` keeps parent and child apart, `loan`
is one request in it, and `lender` sends requests through it. Knows neither gRPC nor what is evaluated;
whatever goes wrong here, calls go on without it. docs/local.md tells the protocol.
"""
