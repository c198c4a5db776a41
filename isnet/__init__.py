"""ISNet as a library: layer-wise relevance propagation that can be trained through, and the losses on it.

Needs torch only and knows nothing of benchmarks. Papers: Bassi, Dertkigil and Cavalli, "Improving deep neural
network generalization and robustness to background bias via layer-wise relevance propagation optimization",
Nature Communications 2024 (arXiv 2202.00232); Bassi, Decherchi and Cavalli, "Faster ISNet", arXiv 2401.08409.
"""
