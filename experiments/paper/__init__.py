"""The comparisons of the paper on warm restarts, run anew: see README.md here.

Loshchilov and Hutter, "SGDR: Stochastic gradient descent with warm restarts", ICLR 2017, arXiv:1608.03983v5.
"""
