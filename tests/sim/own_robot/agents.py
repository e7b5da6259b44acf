# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""rsl_rl's PPO for the task, written as Isaac Lab's tasks write it."""

from isaaclab.utils import configclass

from isaaclab_rl.rsl_rl import RslRlMLPModelCfg, RslRlOnPolicyRunnerCfg, RslRlPpoAlgorithmCfg


@configclass
class RunnerPPORunnerCfg(RslRlOnPolicyRunnerCfg):
    """PPO."""

    num_steps_per_env = 16
    max_iterations = 200
    save_interval = 2
    experiment_name = "own_runner"
    obs_groups = {"actor": ["policy"], "critic": ["policy"]}
    actor = RslRlMLPModelCfg(
        hidden_dims=[32, 16],
        activation="elu",
        obs_normalization=True,
        distribution_cfg=RslRlMLPModelCfg.GaussianDistributionCfg(init_std=0.7),
    )
    critic = RslRlMLPModelCfg(hidden_dims=[32, 16], activation="elu", obs_normalization=True)
    algorithm = RslRlPpoAlgorithmCfg(
        value_loss_coef=1.0,
        use_clipped_value_loss=True,
        clip_param=0.25,
        entropy_coef=0.001,
        num_learning_epochs=3,
        num_mini_batches=4,
        learning_rate=3.0e-4,
        schedule="adaptive",
        gamma=0.98,
        lam=0.9,
        desired_kl=0.008,
        max_grad_norm=0.5,
    )
