# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The hand, block and floor inside Isaac Lab beside gymnasium-robotics' model, field by field."""

import itertools
import re

import mujoco
import numpy as np
import pytest
from hand_block import lab_env

from cgrpo_tasks.assets import shadow_hand_mjcf as hand
from cgrpo_tasks.physics import PhysicsError

FREE_JOINT = "free_joint"
FIELDS = {
    "joint": (
        "jnt_range",
        "jnt_margin",
        "jnt_solref",
        "jnt_solimp",
        "jnt_stiffness",
        "jnt_limited",
        "jnt_axis",
        "jnt_pos",
    ),
    "dof": ("dof_damping", "dof_armature", "dof_frictionloss"),
    "tendon": ("tendon_range", "tendon_margin", "tendon_solref_lim", "tendon_solimp_lim", "tendon_limited"),
    "actuator": (
        *("actuator_gaintype", "actuator_gainprm", "actuator_biastype", "actuator_biasprm", "actuator_gear"),
        *("actuator_forcelimited", "actuator_forcerange", "actuator_ctrllimited", "actuator_ctrlrange"),
    ),
    "body": ("body_mass", "body_gravcomp"),
    "geom": (
        *("geom_type", "geom_condim", "geom_margin", "geom_gap", "geom_friction", "geom_solref", "geom_solimp"),
        *("geom_solmix", "geom_priority", "geom_contype", "geom_conaffinity"),
    ),
}
PAIR_FIELDS = ("pair_dim", "pair_margin", "pair_gap", "pair_friction", "pair_solref", "pair_solimp")
OPTIONS = (
    "timestep",
    "integrator",
    "cone",
    "impratio",
    "iterations",
    "ls_iterations",
    "tolerance",
    "solver",
    "gravity",
)


class Named:
    """A model whose elements are found by the source's names without ``robot0:``."""

    def __init__(self, model):
        self.model = model
        joints = self._names("joint", model.njnt)
        self.ids = {
            "joint": joints,
            "dof": {name: model.jnt_dofadr[i] for name, i in joints.items()},
            "tendon": self._names("tendon", model.ntendon),
            "actuator": {self.joint_of(i): i for i in range(model.nu)},
            "body": self._names("body", model.nbody),
            "geom": self._names("geom", model.ngeom),
        }

    def _names(self, kind, count):
        return {self.name(getattr(self.model, kind)(i).name): i for i in range(count)}

    @staticmethod
    def name(full):
        """Newton puts the path before a name, with slashes or underscores, and a number behind those of geoms."""
        full = full.removeprefix(hand.PREFIX)
        full = {"object:joint": FREE_JOINT, "object": "object", "hand mount": "mount"}.get(full, full)
        if full.startswith("/"):
            return re.sub(r"_\d+$", "", full.rsplit("/", 1)[-1]) if "Geometry" in full else full.rsplit("/", 1)[-1]
        if full.endswith(FREE_JOINT):
            return FREE_JOINT
        return full.rsplit("_", 1)[-1] if full.startswith("_World") else full

    def joint_of(self, actuator):
        return self.name(self.model.joint(self.model.actuator_trnid[actuator, 0]).name)

    def geom_name(self, geom):
        # In the source, the block's body and its geom have one name.
        return {"block": "object"}.get(self.name(self.model.geom(geom).name), self.name(self.model.geom(geom).name))

    def meeting(self):
        """Pairs of geoms that MuJoCo lets collide by masks, bodies and excludes."""
        m, pairs = self.model, set()
        excluded = {tuple(sorted((s >> 16, s & 0xFFFF))) for s in m.exclude_signature.tolist()}
        for a, b in itertools.combinations(range(m.ngeom), 2):
            body_a, body_b = sorted((m.geom_bodyid[a], m.geom_bodyid[b]))
            weld_a, weld_b = m.body_weldid[body_a], m.body_weldid[body_b]
            parents = m.body_weldid[m.body_parentid[[weld_a, weld_b]]]
            related = weld_a == weld_b or (0 not in (weld_a, weld_b) and (weld_a == parents[1] or weld_b == parents[0]))
            touching = m.geom_contype[a] & m.geom_conaffinity[b] or m.geom_contype[b] & m.geom_conaffinity[a]
            # Newton's fixed root is a mocap body, so that the forearm could meet the floor; neither moves.
            moving = m.body_treeid[body_a] >= 0 or m.body_treeid[body_b] >= 0
            if touching and moving and not related and (body_a, body_b) not in excluded:
                pairs.add(frozenset((self.geom_name(a), self.geom_name(b))))
        return pairs


@pytest.fixture(scope="module")
def models():
    """Isaac Lab's compiled model and the source's."""
    official = mujoco.MjModel.from_xml_path(str(hand.source_folder() / "hand" / "manipulate_block.xml"))
    with lab_env("rotate_z", "mujoco", 1) as env:
        lab = env.sim.physics_manager._solver.models[0]
    return Named(lab), Named(official)


def test_counts(models):
    lab, official = (named.model for named in models)
    assert (lab.nu, lab.ntendon, lab.npair) == (20, 4, 19) == (official.nu, 4, official.npair)
    assert set(hand.JOINTS) | {FREE_JOINT} == set(models[0].ids["joint"])


@pytest.mark.parametrize("kind", FIELDS)
def test_fields_are_those_of_the_source(models, kind):
    lab, official = models
    renamed = {"block": "object"} if kind == "geom" else {}
    names = [name for name in lab.ids[kind] if name not in ("world", "Floor")]
    assert len(names) >= {"joint": 25, "dof": 25, "tendon": 4, "actuator": 20, "body": 26, "geom": 24}[kind]
    for field in FIELDS[kind]:
        for name in names:
            if field in ("jnt_range", "jnt_margin", "jnt_axis", "jnt_solref", "jnt_solimp") and name == FREE_JOINT:
                continue  # A free joint has neither.
            mine = getattr(lab.model, field)[lab.ids[kind][name]]
            theirs = getattr(official.model, field)[official.ids[kind][renamed.get(name, name)]]
            np.testing.assert_allclose(mine, theirs, rtol=2e-6, atol=2e-7, err_msg=f"{field} of {name}")


def test_inertias_are_those_of_the_source(models):
    """As tensors about the same frames: principal axes may be named in another order."""
    tensors = []
    for named in models:
        m, found = named.model, {}
        for name in (*(n for n in models[0].ids["body"] if n not in ("world", "Floor")),):
            i, axes = named.ids["body"][name], np.empty(9)
            mujoco.mju_quat2Mat(axes, m.body_iquat[i])
            axes = axes.reshape(3, 3)
            found[name] = np.concatenate((m.body_ipos[i], (axes @ np.diag(m.body_inertia[i]) @ axes.T).flatten()))
        tensors.append(found)
    for name, mine in tensors[0].items():
        np.testing.assert_allclose(mine, tensors[1][name], rtol=1e-5, atol=2e-7, err_msg=name)


def test_tendons_couple_the_same_joints(models):
    coefficients = []
    for named in models:
        m, found = named.model, {}
        for name in hand.TENDONS:
            first = m.tendon_adr[named.ids["tendon"][name]]
            found[name] = {named.name(m.joint(m.wrap_objid[k]).name): m.wrap_prm[k] for k in range(first, first + 2)}
        coefficients.append(found)
    for name, mine in coefficients[0].items():
        assert mine == pytest.approx(coefficients[1][name], rel=1e-6)


def test_the_same_geoms_meet(models):
    """Fingers meet in 19 pairs without friction, the block and the floor meet everything."""
    lab, official = models
    theirs = {pair for pair in official.meeting() if not pair & {"object_hidden", "target"}}
    assert lab.meeting() == theirs
    pairs = []
    for named in models:
        m = named.model
        names = [frozenset(map(named.geom_name, pair)) for pair in zip(m.pair_geom1, m.pair_geom2, strict=True)]
        rows = [np.concatenate([np.atleast_1d(getattr(m, field)[i]) for field in PAIR_FIELDS]) for i in range(m.npair)]
        pairs.append(sorted(zip(map(sorted, names), rows, strict=True), key=lambda row: row[0]))
    assert [names for names, _ in pairs[0]] == [names for names, _ in pairs[1]]
    np.testing.assert_allclose([row for _, row in pairs[0]], [row for _, row in pairs[1]], rtol=1e-6)


def test_options_are_those_of_the_source(models):
    lab, official = (named.model.opt for named in models)
    for name in OPTIONS:
        np.testing.assert_allclose(getattr(lab, name), getattr(official, name), rtol=1e-6, err_msg=name)


def test_a_full_buffer_is_an_error():
    """MuJoCo Warp would go on without the contacts that do not fit."""

    def shrink(cfg):
        # Newton raises it to what the resting hand needs.
        cfg.sim.physics.solver_cfg.njmax = 10

    with pytest.raises(PhysicsError, match=r"njmax=\d+ is too small.*Set env.sim.physics.solver_cfg.njmax"):
        with lab_env("rotate_z", "newton_mjwarp", 2, change=shrink) as env:
            for _ in range(3):
                env.step(env.actions)
