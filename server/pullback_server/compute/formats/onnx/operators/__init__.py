"""The rules of the operators by kind; each module has a table from the operator's name to its rule."""
