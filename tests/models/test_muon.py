"""Muon against its singular values, one matrix at a time in float64."""

import numpy as np
import torch

from janusdna.muon import Muon


def brought_to_one(values: np.ndarray) -> np.ndarray:
    """What five iterations make of singular values that are none above 1."""
    for _ in range(5):
        values = 3.4445 * values - 4.7750 * values**3 + 2.0315 * values**5
    return values


def by_hand(weight, gradients, *, lr, momentum, weight_decay):
    buffer = np.zeros_like(weight)
    for gradient in gradients:
        buffer = momentum * buffer + gradient
        u, values, vt = np.linalg.svd(gradient + momentum * buffer, full_matrices=False)
        direction = u @ np.diag(brought_to_one(values / np.sqrt((values**2).sum()))) @ vt
        weight = weight * (1 - lr * weight_decay) - lr * 0.2 * np.sqrt(max(weight.shape)) * direction
    return weight


def test_three_steps_of_matrices_and_stacks_of_them():
    rng = np.random.default_rng(3)
    numbers = {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.2}
    shapes = [(6, 4), (4, 6), (3, 6, 4), (5, 5)]
    weights = [torch.from_numpy(rng.normal(size=shape)) for shape in shapes]
    before = [weight.numpy().copy() for weight in weights]
    gradients = [[rng.normal(size=shape) for shape in shapes] for _ in range(3)]
    optimiser = Muon(weights, **numbers)
    for step in gradients:
        for weight, gradient in zip(weights, step, strict=True):
            weight.grad = torch.from_numpy(gradient)
        optimiser.step()
    for place, (weight, start) in enumerate(zip(weights, before, strict=True)):
        rows, columns = start.shape[-2:]
        found = weight.numpy().reshape(-1, rows, columns)
        for index, matrix in enumerate(start.reshape(-1, rows, columns)):
            along = [step[place].reshape(-1, rows, columns)[index] for step in gradients]
            np.testing.assert_allclose(found[index], by_hand(matrix, along, **numbers), rtol=1e-6)


def test_a_gradient_of_nothing_leaves_a_matrix_where_it_is():
    weight = torch.ones(2, 3, 3)
    weight.grad = torch.zeros(2, 3, 3)
    Muon([weight], lr=0.1, momentum=0.9, weight_decay=0.0).step()
    assert torch.equal(weight, torch.ones(2, 3, 3))
