"""The four operations a kernel can speed up, and who computes them.

`reference` is the specification: plain PyTorch, slow and obviously right. Every other file is a
faster way to the same numbers. `backends` picks one of each, once, and says why.
"""
