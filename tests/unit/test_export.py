# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Exported files: self-contained, for any batch, equal to torch, with their description inside."""

import errno
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from rsl_rl.models import MLPModel
from tensordict import TensorDict

from cgrpo_lab.export import export_onnx, export_torchscript, onnx_parity, read_metadata
from cgrpo_lab.policies import DeployedPolicy, GroupPolicy

D, A = 6, 3
METADATA = {
    "version": "1.2.3",
    "task": "Some-Task",
    "joints": ["a", "b", "ä"],
    "action": {"scale": [0.5, 0.25], "offset": None, "clip": [-1.0, 1.0]},
    "control_rate_hz": 60.0,
    "deterministic": True,
}


def random(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def observations(count, seed=9):
    """Far from mean 0 and deviation 1, so that a forgotten normaliser shows."""
    return 5.0 * random(seed, count, D) + 20.0


def group_policy(**options):
    group = GroupPolicy(num_policies=3, obs_dim=D, action_dim=A, hidden_dims=(16, 8), activation="elu", **options)
    with torch.no_grad():
        for i, parameter in enumerate(group.parameters()):
            parameter.copy_(0.5 * random(i, *parameter.shape))
    group.update_normalization(observations(200))
    return DeployedPolicy(group, 1, ["policy"])


def ppo_policy():
    torch.manual_seed(0)
    distribution = {
        "class_name": "cgrpo_lab.policies.squashed_gaussian:SquashedGaussianDistribution",
        "std_type": "log",
    }
    obs = TensorDict({"policy": observations(200)}, [200])
    model = MLPModel(obs, {"actor": ["policy"]}, "actor", A, [16, 8], "elu", True, distribution)
    model.update_normalization(obs)
    return model


@pytest.fixture(params=["group", "unsquashed", "raw", "ppo"])
def policy(request):
    return {
        "group": group_policy,
        "unsquashed": lambda: group_policy(squash=False),
        "raw": lambda: group_policy(obs_normalization=False),
        "ppo": ppo_policy,
    }[request.param]()


def act(policy, obs):
    """What the policy does in training code."""
    with torch.no_grad():
        return policy(TensorDict({"policy": obs}, [len(obs)]))


def test_onnx_is_one_file_for_any_batch_and_equals_torch(policy, tmp_path):
    path = tmp_path / "exported" / "policy.onnx"
    export_onnx(policy.as_onnx(verbose=False), path, METADATA)
    assert [p.name for p in path.parent.iterdir()] == ["policy.onnx"]
    session = onnxruntime.InferenceSession(path.read_bytes())  # from memory: nothing beside it can be read
    assert [(i.name, i.shape) for i in session.get_inputs()] == [("obs", ["batch", D])]
    assert [(o.name, o.shape) for o in session.get_outputs()] == [("actions", ["batch", A])]
    for batch in (1, 7, 256):
        obs = observations(batch, seed=batch)
        actions = session.run(None, {"obs": obs.numpy()})[0]
        assert actions.shape == (batch, A)
        np.testing.assert_allclose(actions, act(policy, obs), rtol=0.0, atol=1e-5)
    assert onnx_parity(policy.as_onnx(verbose=False), path) < 1e-5


def test_torchscript_equals_torch(policy, tmp_path):
    path = tmp_path / "exported" / "policy.pt"
    export_torchscript(policy.as_jit(), path)
    assert [p.name for p in path.parent.iterdir()] == ["policy.pt"]
    module = torch.jit.load(str(path))
    for batch in (1, 7):
        torch.testing.assert_close(module(observations(batch)), act(policy, observations(batch)), rtol=0.0, atol=1e-6)
    module.reset()


def test_metadata_round_trip(tmp_path):
    path = tmp_path / "policy.onnx"
    export_onnx(group_policy().as_onnx(), path, METADATA)
    assert read_metadata(path) == METADATA
    model = onnx.load(path)
    assert (model.producer_name, model.producer_version) == ("cgrpo-lab", "1.2.3")


def test_a_file_without_metadata_is_named(tmp_path):
    path = tmp_path / "policy.onnx"
    export_onnx(group_policy().as_onnx(), path, METADATA)
    model = onnx.load(path)
    del model.metadata_props[:]
    onnx.save(model, path)
    with pytest.raises(ValueError, match="policy.onnx: holds no cgrpo_lab metadata"):
        read_metadata(path)


@pytest.mark.parametrize("make", [group_policy, ppo_policy])
def test_parity_looks_where_the_policy_was_trained(make, tmp_path):
    # Squashed policies answer 1 far from their observations, where any network would seem right. A file whose first
    # layer is a little off must be noticed.
    path = tmp_path / "policy.onnx"
    policy = make()
    export_onnx(policy.as_onnx(verbose=False), path, METADATA)
    seen = []
    module = policy.as_onnx(verbose=False)
    module.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    onnx_parity(module, path, samples=2000)
    expected = observations(20_000)
    torch.testing.assert_close(seen[0].mean(0), expected.mean(0), rtol=0.1, atol=0.0)
    torch.testing.assert_close(seen[0].std(0), 3.0 * expected.std(0), rtol=0.15, atol=0.0)


def test_parity_notices_a_difference(tmp_path):
    path = tmp_path / "policy.onnx"
    policy = group_policy()
    export_onnx(policy.as_onnx(), path, METADATA)
    with torch.no_grad():
        policy.group.biases[-1].add_(0.01)
    assert onnx_parity(policy.as_onnx(), path) > 1e-3


@pytest.mark.parametrize(
    "export", [lambda p, f: export_onnx(p.as_onnx(), f, METADATA), lambda p, f: export_torchscript(p.as_jit(), f)]
)
def test_a_full_disk_is_an_os_error_and_leaves_the_old_file(tmp_path, monkeypatch, export):
    path = tmp_path / "policy"
    path.write_text("old")
    write = Path.write_bytes

    def full(self, data):
        write(self, data[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        export(group_policy(), path)
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["policy"]


def test_exporting_leaves_the_policy_in_training_alone(tmp_path):
    policy = group_policy()
    policy.group.train()
    before = act(policy, observations(4))
    export_onnx(policy.as_onnx(), tmp_path / "policy.onnx", METADATA)
    assert policy.group.training and torch.equal(act(policy, observations(4)), before)
