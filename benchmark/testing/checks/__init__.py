"""The checks: each is one function of a case, and says in its docstring what a method must keep."""
