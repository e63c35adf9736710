"""What the server says of itself.

`logs` and `requests` make lines of the log, `metrics` says which figures there are, `calls` and
`evaluations` count them where requests pass, `recorder` keeps the last requests and `crashes` writes them
down when something died. `exposition` and `endpoint` show the figures to Prometheus. Knows neither gRPC nor
what computes: whoever has more figures gives them as readings.
"""
