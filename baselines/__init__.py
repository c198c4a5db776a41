"""The methods, one a file, formula first. :mod:`benchmark.registry` names them; nothing else refers to them."""
