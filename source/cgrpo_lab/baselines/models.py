# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Networks of the baselines as skrl's agents ask for them; they act in [-1, 1] and see normalised observations."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from gymnasium.spaces import Box
from rsl_rl.modules import EmpiricalNormalization
from rsl_rl.utils import resolve_nn_activation
from skrl.models.torch import DeterministicMixin, GaussianMixin, Model
from torch import nn

from cgrpo_lab.policies import gaussian

LOG_STD_RANGE = (-5.0, 2.0)
"""Range of SAC's log standard deviation (skrl's Isaac Lab example; the lower end keeps densities in float32)."""


class ObservationNormalizer(EmpiricalNormalization):
    """The normaliser of our policies and rsl_rl's, as skrl calls a preprocessor.

    skrl lets it learn in the middle of an update (``train``), from whatever is sampled; here it learns between updates,
    from each observation once, so that a policy's ratios compare the same inputs.
    """

    def forward(self, x: torch.Tensor | None, train: bool = False) -> torch.Tensor | None:
        """Normalise observations [B, D]; skrl's privileged states, which we do not use, are None."""
        return None if x is None else super().forward(x)


def spaces(obs_dim: int, action_dim: int) -> dict[str, Box]:
    """Spaces of an agent and its networks: any observation, actions in [-1, 1]."""
    return {"observation_space": Box(-math.inf, math.inf, (obs_dim,)), "action_space": Box(-1.0, 1.0, (action_dim,))}


def _hidden(sizes: Sequence[int], activation: str) -> nn.Sequential:
    """Hidden layers of these widths, the first being that of the input."""
    layers: list[nn.Module] = []
    for i, o in zip(sizes[:-1], sizes[1:], strict=True):
        layers += [nn.Linear(i, o), resolve_nn_activation(activation)]
    return nn.Sequential(*layers)


class Actor(Model):
    """Hidden layers and the mean action before squashing."""

    def __init__(self, obs_dim: int, action_dim: int, hidden_dims: Sequence[int], activation: str, device: str) -> None:
        """Create the layers, on ``device``."""
        space = Box(-1.0, 1.0, (action_dim,))
        super().__init__(
            observation_space=Box(-float("inf"), float("inf"), (obs_dim,)), action_space=space, device=device
        )
        self.hidden = _hidden([obs_dim, *hidden_dims], activation)
        self.mean = nn.Linear(hidden_dims[-1], action_dim)

    def deterministic(self) -> nn.Sequential:
        """The layers from normalised observation to deterministic action, [B, D] -> [B, A]."""
        return nn.Sequential(*self.hidden, self.mean, nn.Tanh())

    def random_act(self, inputs: dict[str, Any], *, role: str = "") -> tuple[torch.Tensor, dict[str, Any]]:
        """Uniform actions [B, A] from torch's generator; skrl's come from one that no seed and no checkpoint reach."""
        shape = (len(inputs["observations"]), self.num_actions)
        return 2.0 * torch.rand(shape, device=self.device) - 1.0, {}


class DeterministicActor(DeterministicMixin, Actor):
    """TD3's policy."""

    def __init__(self, *args: Any) -> None:
        """See :class:`Actor`."""
        Actor.__init__(self, *args)
        DeterministicMixin.__init__(self)

    def compute(self, inputs: dict[str, Any], role: str = "") -> tuple[torch.Tensor, dict[str, Any]]:
        """Actions [B, A]."""
        return torch.tanh(self.mean(self.hidden(inputs["observations"]))), {}


class GaussianActor(GaussianMixin, Actor):
    """TRPO's policy: a Gaussian over the pre-squash action with one standard deviation for all states, as ours."""

    def __init__(self, *args: Any, init_log_std: float) -> None:
        """See :class:`Actor`; ``init_log_std`` is the initial log standard deviation of every action."""
        Actor.__init__(self, *args)
        GaussianMixin.__init__(self, min_log_std=LOG_STD_RANGE[0], max_log_std=LOG_STD_RANGE[1])
        self.log_std = nn.Parameter(torch.full((self.num_actions,), init_log_std))
        with torch.no_grad():
            # Small weights start the policy near the middle of its action range.
            self.mean.weight.mul_(0.01)

    def compute(self, inputs: dict[str, Any], role: str = "") -> tuple[torch.Tensor, dict[str, Any]]:
        """Means of the pre-squash actions [B, A] and their log standard deviation [A]."""
        return self.mean(self.hidden(inputs["observations"])), {"log_std": self.log_std}


class SquashedGaussianActor(Actor):
    """SAC's policy: tanh(u) with u Gaussian, mean and standard deviation depending on the state.

    skrl has no squashed Gaussian; the density of tanh(u) is that of arXiv 1812.05905, appendix C.
    """

    def __init__(self, *args: Any) -> None:
        """See :class:`Actor`."""
        super().__init__(*args)
        self.log_std = nn.Linear(self.mean.in_features, self.num_actions)
        self.std = torch.ones(self.num_actions)
        """Standard deviation of the latest batch before squashing, [A]."""

    def compute(self, inputs: dict[str, Any], role: str = "") -> tuple[torch.Tensor, dict[str, Any]]:
        """Means of the pre-squash actions and their log standard deviations, [B, A] each."""
        hidden = self.hidden(inputs["observations"])
        return self.mean(hidden), {"log_std": self.log_std(hidden).clamp(*LOG_STD_RANGE)}

    def act(self, inputs: dict[str, Any], *, role: str = "") -> tuple[torch.Tensor, dict[str, Any]]:
        """Draw actions [B, A]; beside them their log-densities [B, 1]."""
        mean, outputs = self.compute(inputs, role)
        std = outputs["log_std"].exp()
        self.std = std.detach().mean(dim=0)
        u = mean + std * torch.randn_like(mean)
        # log(1 - tanh(u)^2), in a form that does not round to log(0).
        log_slope = 2.0 * (math.log(2.0) - u - nn.functional.softplus(-2.0 * u)).sum(dim=-1)
        outputs["log_prob"] = (gaussian.log_prob(u, mean, outputs["log_std"]) - log_slope).unsqueeze(-1)
        outputs["mean_actions"] = torch.tanh(mean)
        return torch.tanh(u), outputs


class Critic(DeterministicMixin, Model):
    """Value of a state, or of a state and an action."""

    def __init__(self, obs_dim: int, action_dim: int, hidden_dims: Sequence[int], activation: str, device: str) -> None:
        """Create the layers, on ``device``; ``action_dim`` 0 judges states alone."""
        Model.__init__(self, device=device)
        DeterministicMixin.__init__(self)
        self.judges_actions = action_dim > 0
        self.layers = nn.Sequential(
            *_hidden([obs_dim + action_dim, *hidden_dims], activation), nn.Linear(hidden_dims[-1], 1)
        )

    def compute(self, inputs: dict[str, Any], role: str = "") -> tuple[torch.Tensor, dict[str, Any]]:
        """Values [B, 1]."""
        x = inputs["observations"]
        return self.layers(torch.cat((x, inputs["taken_actions"]), dim=-1) if self.judges_actions else x), {}
