"""One training by several processes, the ranks: the same weights as one process with the same batches, up to rounding.

Every rank holds all weights and makes all random draws of the whole batch; the images of a batch are shared out. What a
batch has in common (the statistics of batch norm, the gradient) is summed over the ranks.
"""
