"""Checking: derivatives against finite differences, forward against reverse, batches against points.

Pure numpy, without I/O: `checker.check` is a generator that yields questions (`questions`) and is sent
their answers, so that the synchronous client, the asynchronous one and the command line share it. `points`
draws where to check, `space` knows arguments as directions to go in, `differences` takes finite differences
in many step sizes, `comparing` judges, and `report` says what was found. One module for each kind of check:
`first_order`, `higher_order`, `products`, `transposes`, `batches`, `finiteness`.
"""
