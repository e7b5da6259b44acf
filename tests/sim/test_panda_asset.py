# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The Panda built from gymnasium-robotics against Franka's published data."""

import socket
from pathlib import Path

import mujoco
import numpy as np
import pytest

from pxr import Usd, UsdPhysics

from cgrpo_tasks.assets import cache, panda, panda_mjcf

# Franka's documentation, "Denavit-Hartenberg parameters" (Craig's convention): a [m], d [m], alpha [rad].
DH = [
    (0.0, 0.333, 0.0),
    (0.0, 0.0, -np.pi / 2),
    (0.0, 0.316, np.pi / 2),
    (0.0825, 0.0, np.pi / 2),
    (-0.0825, 0.384, -np.pi / 2),
    (0.0, 0.0, np.pi / 2),
    (0.088, 0.0, np.pi / 2),
]
FLANGE = 0.107
# The same documentation, "Limits in the joint space" [rad].
LIMITS = [
    (-2.8973, 2.8973),
    (-1.7628, 1.7628),
    (-2.8973, 2.8973),
    (-3.0718, -0.0698),
    (-2.8973, 2.8973),
    (-0.0175, 3.7525),
    (-2.8973, 2.8973),
]


def link7_from_dh(q: np.ndarray) -> np.ndarray:
    """Return the pose of link 7 in the base frame, shape `[4, 4]`."""
    pose = np.eye(4)
    for (a, d, alpha), theta in zip(DH, q, strict=True):
        ct, st, ca, sa = np.cos(theta), np.sin(theta), np.cos(alpha), np.sin(alpha)
        pose = pose @ np.array(
            [[ct, -st, 0, a], [st * ca, ct * ca, -sa, -d * sa], [st * sa, ct * sa, ca, d * ca], [0, 0, 0, 1]]
        )
    return pose


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the Panda in an empty cache, with the network out of reach, and return its folder."""

    def refuse(*args):
        raise AssertionError(f"the build opened a connection: {args}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(cache.CACHE_VARIABLE, str(tmp_path_factory.mktemp("cache")))
        patch.setattr(socket.socket, "connect", refuse)
        folder = panda.panda_mjcf_path().parent
        assert panda.panda_usd_path().parent.parent == folder
    return folder


@pytest.fixture(scope="module")
def model(built: Path) -> mujoco.MjModel:
    """Compile the corrected MJCF."""
    return mujoco.MjModel.from_xml_path(str(built / "panda.xml"))


def test_forward_kinematics_is_that_of_the_published_table(model: mujoco.MjModel):
    data = mujoco.MjData(model)
    low, high = np.array(LIMITS).T
    for q in np.random.default_rng(0).uniform(low, high, size=(200, 7)):
        data.qpos[:7] = q
        mujoco.mj_kinematics(model, data)
        expected = link7_from_dh(q)
        for body, offset in (("panda_link7", 0.0), ("panda_hand", FLANGE)):
            position = expected[:3, 3] + offset * expected[:3, 2]
            np.testing.assert_allclose(data.body(body).xpos, position, atol=1e-5)
        np.testing.assert_allclose(data.body("panda_link7").xmat.reshape(3, 3), expected[:3, :3], atol=1e-5)
        # The hand is mounted turned by -45 deg about the flange axis.
        half = np.sqrt(0.5)
        mounting = np.array([[half, half, 0], [-half, half, 0], [0, 0, 1]])
        np.testing.assert_allclose(data.body("panda_hand").xmat.reshape(3, 3), expected[:3, :3] @ mounting, atol=1e-5)


def test_joints_are_the_arm_in_order_then_the_fingers(model: mujoco.MjModel):
    names = [model.joint(i).name for i in range(model.njnt)]
    assert names == [*panda_mjcf.ARM_JOINTS, "panda_finger_joint1", "panda_finger_joint2"]
    np.testing.assert_allclose(model.jnt_range[:7], LIMITS)
    np.testing.assert_allclose(model.jnt_range[7:], [(0.0, 0.04)] * 2)
    assert not model.dof_damping.any()
    assert (model.dof_armature == 0.1).all()
    assert model.nu == 0


def test_masses_and_inertias_are_plausible(model: mujoco.MjModel):
    assert model.body_mass.sum() == pytest.approx(18.0, abs=0.1)
    moving = slice(1, None)
    inertia, mass = model.body_inertia[moving], model.body_mass[moving]
    assert (mass > 0.05).all()
    assert (inertia > 0).all()
    assert (inertia.sum(axis=1) >= 2 * inertia.max(axis=1)).all(), "triangle inequality of principal moments"
    radius_of_gyration = np.sqrt(inertia.max(axis=1) / mass)
    assert ((radius_of_gyration > 0.01) & (radius_of_gyration < 0.25)).all()


def test_fingers_open_symmetrically_and_collide_as_boxes(model: mujoco.MjModel):
    data = mujoco.MjData(model)
    data.qpos[7:] = 0.03
    mujoco.mj_kinematics(model, data)
    gap = data.body("panda_leftfinger").xpos - data.body("panda_rightfinger").xpos
    assert np.linalg.norm(gap) == pytest.approx(0.06)
    for finger in ("panda_leftfinger", "panda_rightfinger"):
        geoms = np.flatnonzero((model.geom_bodyid == model.body(finger).id) & (model.geom_contype > 0))
        assert [model.geom_type[i] for i in geoms] == [mujoco.mjtGeom.mjGEOM_BOX]


def test_usd_has_the_same_joints_and_masses(built: Path, model: mujoco.MjModel):
    stage = Usd.Stage.Open(str(built / "usd" / "panda.usda"))
    joints = {
        prim.GetName(): UsdPhysics.RevoluteJoint(prim)
        for prim in stage.Traverse()
        if prim.IsA(UsdPhysics.RevoluteJoint)
    }
    assert set(joints) == set(panda_mjcf.ARM_JOINTS)
    for name, limits in zip(panda_mjcf.ARM_JOINTS, LIMITS, strict=True):
        usd_limits = (joints[name].GetLowerLimitAttr().Get(), joints[name].GetUpperLimitAttr().Get())
        np.testing.assert_allclose(np.deg2rad(usd_limits), limits, atol=1e-5)
    masses = [
        UsdPhysics.MassAPI(prim).GetMassAttr().Get() for prim in stage.Traverse() if prim.HasAPI(UsdPhysics.MassAPI)
    ]
    assert sum(masses) == pytest.approx(model.body_mass.sum(), rel=1e-5)


def test_files_do_not_know_where_they_were_built(built: Path):
    files = [built / "panda.xml", *(built / "usd").rglob("*.usd*")]
    assert len(files) >= 4
    for file in files:
        assert str(built.parent).encode() not in file.read_bytes(), file
        assert f".{built.name}".encode() not in file.read_bytes(), file


def test_nothing_is_built_a_second_time(built: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(cache.CACHE_VARIABLE, str(built.parent))
    monkeypatch.setattr(panda, "_build", lambda folder: pytest.fail("built again"))
    assert panda.panda_mjcf_path().parent == built


def test_a_changed_source_is_built_anew(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    changed = tmp_path / "franka_assets"
    changed.mkdir()
    (changed / "chain.xml").write_text("<mujocoinclude/>")
    monkeypatch.setenv(cache.CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(panda_mjcf, "source_folder", lambda: changed)
    monkeypatch.setattr(panda, "_build", lambda folder: None)
    assert panda.panda_mjcf_path().parent.name != built.name
