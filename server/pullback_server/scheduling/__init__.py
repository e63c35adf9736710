"""What stands between services and engine: who may come in, and in which order things run.

`admission` sheds load; `scheduler` is what services ask. The batcher's place is in the scheduler.
"""
