# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Adam on the matrix of all policies' parameters, with a gradient norm for each policy."""

from typing import Any

import torch

EPSILON = 1.0e-8


class GroupAdam:
    """Clips each policy's gradient to a norm of its own, then takes a step of Adam (Kingma and Ba 2015).

    Equal to :class:`torch.optim.Adam`, whose bookkeeping for arbitrary sets of parameters takes longer than the
    arithmetic of a small network. A gradient that is not finite becomes zero, which leaves a policy its momentum.
    """

    def __init__(
        self,
        vectors: torch.nn.Parameter,
        *,
        max_grad_norm: float,
        betas: tuple[float, float] = (0.9, 0.999),
    ) -> None:
        """Start without momentum.

        Args:
            vectors: Parameters of N policies, a policy a row, shape [N, P].
            max_grad_norm: Largest norm of a policy's gradient.
            betas: Decay of the running means of gradient and squared gradient.
        """
        self.vectors, self.max_grad_norm, self.betas = vectors, max_grad_norm, betas
        self.mean = torch.zeros_like(vectors, requires_grad=False)
        """Running mean of the gradient, [N, P]."""
        self.square = torch.zeros_like(vectors, requires_grad=False)
        """Running mean of the squared gradient, [N, P]."""
        self.steps = 0

    @torch.no_grad()
    def step(self, learning_rate: float) -> torch.Tensor:
        """Use the gradient of the parameters and forget it.

        Args:
            learning_rate: Size of the step.

        Returns:
            Norm of each policy's gradient before it was clipped, shape [N, 1]; not finite where it was left out.
        """
        gradient, self.vectors.grad = self.vectors.grad, None
        norm = torch.linalg.vector_norm(gradient, dim=1, keepdim=True)
        # An infinite entry times zero is NaN, as is everything times the scale of a norm that is NaN.
        gradient.mul_((self.max_grad_norm / (norm + EPSILON)).clamp_(max=1.0)).nan_to_num_(nan=0.0)
        self.steps += 1
        beta, beta_square = self.betas
        self.mean.lerp_(gradient, 1.0 - beta)
        self.square.mul_(beta_square).addcmul_(gradient, gradient, value=1.0 - beta_square)
        root = self.square.sqrt().div_((1.0 - beta_square**self.steps) ** 0.5).add_(EPSILON)
        self.vectors.addcdiv_(self.mean, root, value=-learning_rate / (1.0 - beta**self.steps))
        return norm

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint."""
        return {"mean": self.mean.clone(), "square": self.square.clone(), "steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state of as many policies of the same size."""
        self.mean.copy_(state["mean"])
        self.square.copy_(state["square"])
        self.steps = state["steps"]
