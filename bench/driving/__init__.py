"""What runs in the process of a client: it is told what to measure, line by line, and answers with numbers.

It knows numpy and the workload alone, since each peer's client runs in an environment of its own.
"""
