"""The planner: from wants to one traceable function that gives them all.

`kinds` has one module for each quantity: what it refuses, and which derivative it is. `derivative` says what
a derivative is, as data, and the rest follows it on its way:

- `sharing` decides which derivatives share a pass over the function;
- `footprint` and `chunks` decide how many directions are taken at a time;
- `sparse` finds the pattern of a sparse one, and reads its entries;
- `passes` goes over the function, in forward and reverse mode as they stand inside one another;
- `plan` puts it together, and `alternatives` says what to try where a function lacks a mode.

`basis` has the directions and the leaves that they give, for all of them.
"""
