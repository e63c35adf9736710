"""The planner: from wants to one traceable function that gives them all.

`kinds` has one module for each quantity: what it refuses, and which derivative it is. `derivative` says what
a derivative is, as data, and the rest follows it on its way:

- `sharing` decides which derivatives share a pass over the function, and `nest` how forward and reverse mode
  stand inside one another in it;
- `footprint` and `chunks` decide how many directions are taken at a time;
- `detection` and `linear` find the pattern of a sparse one, `coloring` is that pattern as data;
- `passes` goes over the function: `forward`, `reverse` and `curvature` are its levels, `step` is what they
  hand to one another, `sweep`, `basis` and `entries` make directions and cut results;
- `plan` puts it together, and `alternatives` says what to try where a function lacks a mode.
"""
