"""What comes in, checked against a function's signature and made a `model.Evaluation`.

`evaluations` checks a request for an evaluation, with `wants` and `tensors`; `symbols` puts sizes in the
place of a signature's symbols, `sizes` predicts how large results are, and `limits` are what requests are
held to.
"""
