# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Clustering at rollout scale: refits by drift, projection, memory that runs out, agreement of clusterings."""

import logging
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score
from synthetic_rollouts import empty_rollout, random_rollout

from cgrpo_lab.advantages import make_estimator
from cgrpo_lab.clustering import DBSCAN, KMeans, Refitting, adjusted_rand_index, backends, dbscan, distances
from cgrpo_lab.clustering.base import Frame
from cgrpo_lab.clustering.memory import Batches


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def clouds(middles, count=100, seed=0):
    """Points around some middles on the diagonal of the plane."""
    middles = torch.tensor(middles)[:, None].repeat_interleave(count, dim=0)
    return middles + torch.randn(len(middles), 2, generator=seeded(seed))


# -- Agreement ---------------------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), clusters=st.sampled_from([1, 2, 6]), copied=st.sampled_from([0.0, 0.8, 1.0]))
def test_agreement_equals_scikit_learn(seed, clusters, copied):
    one = torch.randint(-1, clusters, (60,), generator=seeded(seed))
    other = torch.where(torch.rand(60, generator=seeded(seed)) < copied, 5 - one, torch.randint(-1, 3, (60,)))
    assert adjusted_rand_index(one, other).item() == pytest.approx(adjusted_rand_score(one, other), abs=1e-12)


def test_agreement_by_hand():
    # 0 0 1 1 against 0 0 0 1. Of 6 pairs 2 are together in the first, 3 in the second, 1 in both; by chance 2 * 3 / 6.
    index = adjusted_rand_index(torch.tensor([0, 0, 1, 1]), torch.tensor([4, 4, 4, 2]))
    assert index == (1 - 1) / (2.5 - 1)
    assert adjusted_rand_index(torch.zeros(4, dtype=torch.long), torch.ones(4, dtype=torch.long)) == 1


# -- Refits ------------------------------------------------------------------------------------------------------------


def test_labels_that_stay_are_refitted_less_often_of_fewer_points(monkeypatch):
    refitting = Refitting(KMeans(3, generator=seeded(), max_fit_points=200), max_interval=4, min_fit_points=60)
    fits, points, looked_at = [], [], []
    inner = refitting.clusterer._fit
    monkeypatch.setattr(
        refitting.clusterer, "_fit", lambda points, frame: looked_at.append(len(points)) or inner(points, frame)
    )
    for seed in range(16):
        fits.append(refitting.update(clouds([0.0, 30.0, 60.0], seed=seed)))
        points.append(int(refitting.fit_points))
    # The second fit finds no drift: every 2nd iteration from there on, then every 4th.
    assert [i for i, fitted in enumerate(fits) if fitted] == [0, 1, 3, 7, 11, 15]
    assert points[:4] == [200, 100, 100, 60]
    assert looked_at == [200, 200, 100, 60, 60, 60]
    assert refitting.outcomes.tolist() == [6, 0, 0]


def test_labels_that_drift_are_refitted_more_often_of_more_points():
    refitting = Refitting(KMeans(3, generator=seeded(), max_fit_points=200), max_interval=8, min_fit_points=50)
    for seed in range(12):
        refitting.update(clouds([0.0, 30.0, 60.0], seed=seed))
    before = int(refitting.interval), int(refitting.fit_points)
    seed = 100
    while not refitting.update(clouds([100.0, 101.0, 102.0], seed=seed)):
        seed += 1
    assert refitting.drift > 0.2
    assert (int(refitting.interval), int(refitting.fit_points)) == (before[0] // 2, before[1] * 2)


@pytest.mark.parametrize(
    ("drift", "interval", "points"), [(0.04, 8, 200), (0.06, 4, 400), (0.19, 4, 400), (0.21, 2, 800)]
)
def test_drift_below_a_twentieth_is_little_and_above_a_fifth_is_much(drift, interval, points):
    refitting = Refitting(KMeans(3, generator=seeded(), max_fit_points=1000), max_interval=16, min_fit_points=100)
    refitting.interval.fill_(4)
    refitting.fit_points.fill_(400)
    refitting._adapt(drift)
    assert (int(refitting.interval), int(refitting.fit_points)) == (interval, points)


def test_every_iteration_is_fitted_unless_told_otherwise():
    refitting = Refitting(KMeans(3, generator=seeded(), max_fit_points=200))
    assert all(refitting.update(clouds([0.0, 30.0, 60.0], seed=seed)) for seed in range(4))
    assert refitting.fit_points == 200


def test_between_fits_labels_are_those_of_the_last_fit():
    refitting = Refitting(DBSCAN(generator=seeded(), reach=10.0, eps_quantile=0.9), max_interval=2)
    for seed in range(2):
        refitting.update(clouds([0.0, 30.0], seed=seed))
    points = clouds([0.0, 30.0], seed=2)
    before = refitting.predict(points)
    assert not refitting.update(points)
    assert torch.equal(refitting.predict(points), before)


def test_outcomes_are_counted():
    all_noise = Refitting(DBSCAN(generator=seeded(), eps=1e-4))
    all_noise.update(clouds([0.0]))
    assert all_noise.outcomes.tolist() == [1, 1, 0]
    one = Refitting(DBSCAN(generator=seeded(), eps=5.0))
    one.update(clouds([0.0]))
    one.update(clouds([0.0], seed=1))
    assert one.outcomes.tolist() == [2, 0, 2]
    # Two of four k-means clusters of two points stay empty.
    empty = Refitting(KMeans(4, generator=seeded()))
    points = torch.tensor([[0.0], [1.0]]).repeat(5, 1)
    empty.update(points)
    diagnostics = empty.diagnostics(empty.predict(points))
    assert diagnostics["empty_clusters"] == 2
    assert diagnostics["num_clusters"] == 4
    assert diagnostics["largest_cluster_share"] == 0.5


def test_a_refitting_continues_from_a_checkpoint():
    first = Refitting(DBSCAN(generator=seeded(), max_fit_points=150), max_interval=4, min_fit_points=50)
    for seed in range(5):
        first.update(clouds([0.0, 30.0], seed=seed))
    second = Refitting(DBSCAN(generator=seeded(9), max_fit_points=150), max_interval=4, min_fit_points=50)
    second.load_state_dict(first.state_dict())
    second.clusterer.generator.set_state(first.clusterer.generator.get_state())
    for seed in range(5, 12):
        points = clouds([0.0, 30.0], seed=seed)
        assert first.update(points) == second.update(points)
        assert torch.equal(first.predict(points), second.predict(points))


def test_an_estimator_values_frozen_clusters_anew_and_keeps_those_it_does_not_visit():
    estimator = make_estimator(
        "state_cluster",
        num_states=2,
        device="cpu",
        generator=seeded(),
        gamma=0.5,
        clustering_options={"reach": 10.0, "eps_quantile": 0.9},
        max_refit_interval=2,
    )

    def visit(rooms, reward):
        rollout = empty_rollout(10, 40, 2)
        rollout.states.copy_(clouds(rooms, count=440 // len(rooms)).view(11, 40, 2))
        rollout.rewards.fill_(reward)
        estimator(rollout)

    visit([0.0, 100.0], 1.0)
    visit([0.0, 100.0], 1.0)
    clusters = estimator.clusterer.predict(torch.tensor([[0.0, 0.0], [100.0, 100.0]]))
    torch.testing.assert_close(estimator.group_values[clusters], torch.tensor([2.0, 2.0]))
    # Not refitted; nobody visits the second room, where 3 / (1 - 1/2) would be paid now.
    visit([0.0], 3.0)
    assert estimator.clusterer.age == 1
    assert estimator.group_values[clusters[0]] == pytest.approx(6.0)
    assert estimator.group_values[clusters[1]] == pytest.approx(2.0)


def test_clusters_of_a_new_fit_do_not_keep_the_values_of_those_before():
    options = {"clustering": "kmeans", "clustering_options": {"num_clusters": 2}}
    estimator = make_estimator("state_cluster", num_states=2, device="cpu", generator=seeded(), gamma=0.5, **options)
    rollout = empty_rollout(10, 40, 2)
    rollout.states.copy_(clouds([0.0, 100.0], count=220).view(11, 40, 2))
    rollout.rewards.fill_(1.0)
    estimator(rollout)
    torch.testing.assert_close(estimator.group_values, torch.full((3,), 2.0))
    # All in one place: the other cluster is empty now and takes the value of all, 3 / (1 - 1/2).
    rollout.states.zero_()
    rollout.rewards.fill_(3.0)
    estimator(rollout)
    torch.testing.assert_close(estimator.group_values, torch.full((3,), 6.0))


@pytest.mark.parametrize("estimator", ["state_cluster", "value_centred"])
def test_estimators_take_a_refit_interval(estimator):
    options = {"clustering": "kmeans", "clustering_options": {"num_clusters": 4}, "max_refit_interval": 8}
    judge = make_estimator(estimator, num_states=3, device="cpu", generator=seeded(), **options)
    for _ in range(9):
        result = judge(random_rollout(8, 20, 3, seed=0))
    # The same states: no drift at all. Fits in iterations 1, 2, 4, 8.
    assert result.diagnostics["fits"] == 4
    assert result.diagnostics["refit_interval"] == 8
    assert result.diagnostics["label_drift"] == pytest.approx(0.0, abs=1e-6)


# -- Projection --------------------------------------------------------------------------------------------------------


def test_projection_keeps_the_directions_of_largest_variance():
    # After standardising, x and y = x + little noise share one direction; z is independent noise.
    x = torch.randn(500, 1, generator=seeded())
    noise = torch.randn(500, 2, generator=seeded(1))
    points = torch.cat((x, 100 * x + noise[:, :1], noise[:, 1:]), dim=1)
    frame = Frame.of(points, 1)
    assert frame.axes.abs()[:, 0].tolist() == pytest.approx([0.5**0.5, 0.5**0.5, 0.0], abs=0.1)
    inside = frame.enter(points)
    assert inside.shape == (500, 1)
    torch.testing.assert_close(frame.enter(frame.leave(inside)), inside, rtol=1e-4, atol=1e-4)
    everything = Frame.of(points, 3)
    torch.testing.assert_close(everything.leave(everything.enter(points)), points, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "make", [lambda: DBSCAN(generator=seeded(), reach=10.0, num_dims=2), lambda: KMeans(2, seed=0, num_dims=2)]
)
def test_clusters_in_a_projection(make):
    # Two clouds that 30 dimensions of noise do not hide from the directions of largest variance.
    truth = torch.arange(2).repeat_interleave(150)
    points = torch.randn(300, 30, generator=seeded()) + 6.0 * truth[:, None]
    clusterer = make().fit(points)
    assert adjusted_rand_index(clusterer.predict(points), truth) == 1
    restored = make()
    restored.load_state_dict(clusterer.state_dict())
    assert torch.equal(restored.predict(points), clusterer.predict(points))


def test_warm_start_in_a_projection_keeps_the_meaning_of_labels():
    kmeans = KMeans(3, generator=seeded(), warm_start=True, num_dims=1)
    labels = kmeans.fit(clouds([0.0, 30.0, 60.0])).predict(clouds([0.0, 30.0, 60.0]))
    for seed in range(1, 4):
        moved = clouds([1.0, 31.0, 61.0], seed=seed)
        assert torch.equal(kmeans.fit(moved).predict(moved), labels)


# -- Memory ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [MemoryError, torch.OutOfMemoryError])
def test_memory_that_runs_out_halves_the_batch(error, caplog):
    batches, tried = Batches(1000), []

    def work(size):
        tried.append(size)
        if size > 200:
            raise error("no memory")
        return size

    with caplog.at_level(logging.WARNING):
        assert batches.run(work) == 125
        assert batches.run(work) == 125
    assert tried == [1000, 500, 250, 125, 125]
    assert batches.halvings == 3
    assert len(caplog.records) == 1


def test_a_batch_of_one_that_does_not_fit_is_an_error():
    batches = Batches(4)

    def work(size):
        raise MemoryError

    with pytest.raises(MemoryError):
        batches.run(work)
    assert batches.size == 1


def test_dbscan_goes_on_where_its_backend_runs_out_of_memory(monkeypatch):
    points, real, seen = clouds([0.0, 30.0]), dbscan.dbscan, []

    def scarce(points, *, max_mbytes_per_batch, **options):
        seen.append(max_mbytes_per_batch)
        if max_mbytes_per_batch > 300:
            raise torch.OutOfMemoryError("no memory")
        return real(points, max_mbytes_per_batch=max_mbytes_per_batch, **options)

    expected = DBSCAN(generator=seeded()).fit(points).predict(points)
    monkeypatch.setattr(dbscan, "dbscan", scarce)
    clusterer = DBSCAN(generator=seeded())
    assert torch.equal(clusterer.fit(points).predict(points), expected)
    assert seen == [1024, 512, 256]
    assert clusterer.halvings == 2


def test_labelling_goes_on_where_distances_do_not_fit(monkeypatch):
    points, real = clouds([0.0, 30.0]), distances._nearest

    def scarce(chunk, *others):
        if len(chunk) > 9:
            raise torch.OutOfMemoryError("no memory")
        real(chunk, *others)

    clusterer = DBSCAN(generator=seeded()).fit(points)
    expected = clusterer.predict(points)
    monkeypatch.setattr(distances, "_nearest", scarce)
    assert torch.equal(clusterer.predict(points), expected)
    assert clusterer.halvings > 3


# -- cuML, played ------------------------------------------------------------------------------------------------------


class FakeModel:
    """Answers like cuML's estimators and remembers how it was asked."""

    def __init__(self, asked, **options):
        self.asked = asked
        asked.update(options)

    def fit(self, points, **options):
        self.asked.update(options, dtype=points.dtype)
        self.labels_ = np.zeros(len(points), dtype=np.int64)
        self.core_sample_indices_ = np.arange(len(points))
        self.cluster_centers_ = points[:2].numpy()


@pytest.fixture
def cuml(monkeypatch):
    """cuML without a GPU: what it is asked, as a dictionary."""
    asked = {}
    module = SimpleNamespace(
        DBSCAN=lambda **options: FakeModel(asked, **options), KMeans=lambda **options: FakeModel(asked, **options)
    )
    monkeypatch.setattr(backends, "import_cuml_cluster", lambda: module)
    monkeypatch.setattr(backends, "_on_stream_of", lambda points: torch.no_grad())
    return asked


@pytest.mark.parametrize("algorithm", ["brute", "rbc"])
def test_what_dbscan_asks_of_cuml(cuml, algorithm):
    labels, cores = backends.dbscan(
        torch.zeros(5, 2, dtype=torch.float64),
        eps=0.5,
        min_samples=3,
        algorithm=algorithm,
        backend="cuml",
        max_mbytes_per_batch=128,
    )
    assert labels.tolist() == [0] * 5
    assert cores.tolist() == [0, 1, 2, 3, 4]
    assert cuml["algorithm"] == algorithm
    assert cuml["max_mbytes_per_batch"] == 128
    # The ball cover is only used for float32 points and int64 labels.
    assert cuml["dtype"] == torch.float32
    assert cuml["out_dtype"] == "int64"


@pytest.mark.parametrize(("start", "restarts"), [(None, 4), (torch.ones(2, 2), 1)])
def test_what_kmeans_asks_of_cuml(cuml, start, restarts):
    backends.kmeans(
        torch.zeros(5, 2),
        num_clusters=2,
        seed=7,
        initial=start,
        num_restarts=4,
        backend="cuml",
        max_samples_per_batch=64,
    )
    assert cuml["n_init"] == restarts
    assert cuml.get("init") is start
    assert cuml["random_state"] == 7
    assert cuml["max_samples_per_batch"] == 64


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DBSCAN(seed=0, algorithm="kd_tree"), "algorithm = 'kd_tree'.*'rbc'"),
        (lambda: DBSCAN(seed=0, algorithm="rbc").fit(torch.zeros(4, 2)), "algorithm = 'rbc'"),
        (lambda: KMeans(2, seed=0, num_dims=0), "num_dims = 0"),
        (lambda: Refitting(KMeans(2, seed=0), max_interval=0), "max_interval = 0"),
        (lambda: Refitting(KMeans(2, seed=0), min_fit_points=0), "min_fit_points = 0"),
        (
            lambda: make_estimator(
                "state_cluster", num_states=2, device="cpu", generator=seeded(), max_refit_interval=0
            ),
            "max_refit_interval = 0",
        ),
    ],
)
def test_names_what_is_wrong(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.gpu
@pytest.mark.parametrize("algorithm", ["brute", "rbc"])
def test_cuml_dbscan_equals_scikit_learn(algorithm):
    pytest.importorskip("cuml")
    points = clouds([0.0, 30.0, 60.0], count=300)
    expected = DBSCAN(generator=seeded()).fit(points).predict(points)
    ours = DBSCAN(generator=seeded(), algorithm=algorithm).fit(points.cuda())
    assert adjusted_rand_index(ours.predict(points.cuda()).cpu(), expected) == 1
