"""Evaluations as data, both ways, without I/O: what the twins `client` and `aio` share.

`wants` says what is asked for; `arguments` and `inputs` flatten what is passed to a function and check it;
`calls` and `compilation` make requests of that; `results` builds the trees that come back, with `sparse`;
`tensors` alone touches bytes.
"""
