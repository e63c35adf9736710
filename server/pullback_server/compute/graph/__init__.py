"""Graphs: what a plan computes, operation by operation, and what that costs.

`equations` reads jaxprs, `costs` has a rule for each family of primitives, `estimate` adds up what stands
inside of loops and branches, `rules` says where derivatives come from, `building` makes the graph, and
`merging` leaves out what is trivial.
"""
