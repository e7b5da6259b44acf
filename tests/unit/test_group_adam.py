# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The optimiser of all policies against torch's own, policy by policy."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cgrpo_lab.algorithms.group_adam import GroupAdam


def random(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@given(seed=st.integers(0, 10_000), max_norm=st.sampled_from([0.5, 100.0]), rate=st.sampled_from([1e-3, 0.1]))
def test_steps_equal_torch_s_adam_of_every_policy(seed, max_norm, rate):
    vectors = torch.nn.Parameter(random(seed, 3, 7))
    rows = [torch.nn.Parameter(row.detach().double()) for row in vectors]
    plain = [torch.optim.Adam([row], lr=rate) for row in rows]
    ours = GroupAdam(vectors, max_grad_norm=max_norm)
    for i in range(4):
        gradient = random(seed + 1 + i, 3, 7) * torch.tensor([[0.01], [1.0], [30.0]])
        vectors.grad = gradient.clone()
        norm = ours.step(rate)
        torch.testing.assert_close(norm, gradient.norm(dim=1, keepdim=True))
        for row, optimizer, g in zip(rows, plain, gradient.double(), strict=True):
            row.grad = g * min(1.0, max_norm / g.norm().item())
            optimizer.step()
    torch.testing.assert_close(vectors.double(), torch.stack(list(rows)), rtol=1e-4, atol=1e-6)
    assert vectors.grad is None


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e30])
def test_a_gradient_that_is_not_finite_is_left_out_and_the_others_go_on(value):
    vectors = torch.nn.Parameter(random(0, 3, 5))
    optimizer, before = GroupAdam(vectors, max_grad_norm=1.0), vectors.detach().clone()
    vectors.grad = random(1, 3, 5)
    vectors.grad[1, 2] = value
    norm = optimizer.step(0.1)
    assert norm.isfinite().flatten().tolist() == [True, False, True]
    assert torch.equal(vectors[1], before[1]) and vectors.isfinite().all()
    assert not torch.equal(vectors[0], before[0]) and not torch.equal(vectors[2], before[2])


def test_continues_from_a_checkpoint_bit_for_bit():
    vectors = torch.nn.Parameter(random(0, 2, 5))
    optimizer = GroupAdam(vectors, max_grad_norm=1.0)
    for i in range(3):
        vectors.grad = random(i, 2, 5)
        optimizer.step(0.1)
    twin = torch.nn.Parameter(vectors.detach().clone())
    other = GroupAdam(twin, max_grad_norm=1.0)
    other.load_state_dict(optimizer.state_dict())
    for i in range(3, 6):
        for parameter, each in ((vectors, optimizer), (twin, other)):
            parameter.grad = random(i, 2, 5)
            each.step(0.1)
    assert torch.equal(vectors, twin)
