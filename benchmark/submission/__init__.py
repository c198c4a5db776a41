"""What people bring from outside: a metric for the stored predictions, or the predictions of a method of their own.

``rescore`` runs somebody's metric on the predictions that a suite stores. ``submit`` turns somebody's predictions into
a record, one JSON file that names data, images and protocol; ``verify`` recomputes all that can be recomputed from it
and refuses the rest. Nothing here imports torch, trains or unpickles.
"""
