"""The operations that a kernel can speed up, and who computes them.

`reference` is the specification: plain PyTorch, slow and obviously right. What is in `cpu`,
`triton` and `optional` are faster ways to the same numbers. `backends` picks one of each, once, and says why.
"""
