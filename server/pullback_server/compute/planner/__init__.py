"""The planner: from wants to one traceable function that gives them all.

`kinds` has one module for each quantity: what it refuses, what it needs of the function, where it finds
its leaves. `needs` says what can be needed, `passes` goes once over the function and gives all of it,
`basis` has the directions for a Jacobian, and `plan` puts them together.
"""
