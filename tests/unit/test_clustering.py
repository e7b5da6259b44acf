# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""k-means and DBSCAN against scikit-learn and on data whose clusters are known."""

import numpy as np
import pytest
import sklearn.cluster
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from cgrpo_lab.advantages.state_cluster import make_clusterer
from cgrpo_lab.clustering import CLUSTERERS, DBSCAN, KMeans, Refitting, backends
from cgrpo_lab.clustering.distances import nearest
from cgrpo_lab.clustering.memory import Batches
from cgrpo_lab.validation import ConfigError


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def blobs(count=100, seed=0):
    """Three clouds of unit variance, far apart, of very unequal units, and which cloud each point is of."""
    generator = seeded(seed)
    middles = torch.tensor([[0.0, 0.0, 0.0], [30.0, 0.0, 0.0], [0.0, 40.0, 10.0]])
    truth = torch.arange(3).repeat_interleave(count)
    points = middles[truth] + torch.randn(3 * count, 3, generator=generator)
    return points * torch.tensor([1.0, 1e-3, 1e3]), truth


def standardised(points):
    return ((points - points.mean(0)) / points.std(0, correction=0)).numpy()


@pytest.mark.parametrize(
    "make", [lambda: DBSCAN(generator=seeded(), reach=10.0), lambda: KMeans(3, generator=seeded())]
)
def test_finds_separate_clouds(make):
    points, truth = blobs()
    clusterer = make()
    labels = clusterer.fit(points).predict(points)
    assert labels.dtype == torch.int64
    assert clusterer.num_clusters == 3
    assert adjusted_rand_score(truth, labels) == 1.0
    fresh, truth = blobs(seed=1)
    assert adjusted_rand_score(truth, clusterer.predict(fresh)) == 1.0


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), eps=st.sampled_from([0.3, 0.6, 1.0]))
def test_dbscan_equals_scikit_learn(seed, eps):
    points = torch.randn(120, 2, generator=seeded(seed))
    dbscan = DBSCAN(generator=seeded(), eps=eps, min_samples=5)
    labels = dbscan.fit(points).predict(points).numpy()
    reference = sklearn.cluster.DBSCAN(eps=eps, min_samples=5).fit(standardised(points))
    cores = reference.core_sample_indices_
    assert dbscan.num_clusters == reference.labels_.max() + 1
    assert np.array_equal(labels[cores], reference.labels_[cores])
    # A border point may lie within eps of several clusters; which one it gets is free, but not whether it is noise.
    assert np.array_equal(labels == -1, reference.labels_ == -1)


def test_radius_makes_the_wanted_share_core_points():
    points = torch.randn(1000, 4, generator=seeded())
    for share in (0.3, 0.5, 0.9):
        dbscan = DBSCAN(generator=seeded(), eps_quantile=share).fit(points)
        assert len(dbscan.core_points) / 1000 == pytest.approx(share, abs=0.005)


def test_radius_by_hand():
    # 0 1 2 3 10 on a line have mean 3.2 and variance (10.24 + 4.84 + 1.44 + .04 + 46.24) / 5 = 12.56.
    # The second nearest points, themselves included, are at 1 1 1 1 7; their median is 1, standardised 1 / sqrt(12.56).
    points = torch.tensor([0.0, 1.0, 2.0, 3.0, 10.0])[:, None]
    dbscan = DBSCAN(generator=seeded(), min_samples=2).fit(points)
    assert dbscan.radius.item() == pytest.approx(12.56**-0.5, rel=1e-5)
    assert dbscan.predict(points).tolist() == [0, 0, 0, 0, -1]


def test_reach_takes_in_noise_near_a_cluster():
    # Units: eps is 1 of the raw line divided by its deviation. Core points 0 1 2 3; 4.5 is 1.5 radii away from 3.
    points = torch.tensor([0.0, 1.0, 2.0, 3.0, 4.5, 20.0])[:, None]
    eps = 1.001 / points.std(correction=0).item()
    labels = {
        reach: DBSCAN(generator=seeded(), eps=eps, min_samples=2, reach=reach).fit(points).predict(points).tolist()
        for reach in (1.0, 2.0)
    }
    assert labels[1.0] == [0, 0, 0, 0, -1, -1]
    assert labels[2.0] == [0, 0, 0, 0, 0, -1]
    # For states, 2 is the default.
    states = make_clusterer("dbscan", {"eps": eps, "min_samples": 2}, 1, seeded())
    states.update(points)
    assert states.predict(points).tolist() == labels[2.0]


def test_labels_more_points_than_it_compares():
    points, truth = blobs(count=400)
    dbscan = DBSCAN(generator=seeded(), max_fit_points=300, eps_quantile=0.9, reach=5.0).fit(points)
    assert len(dbscan.core_points) <= 300
    assert adjusted_rand_score(truth, dbscan.predict(points)) == 1.0


def test_no_cluster_at_all():
    points = torch.randn(50, 3, generator=seeded())
    dbscan = DBSCAN(generator=seeded(), eps=1e-3).fit(points)
    assert dbscan.num_clusters == 0
    assert dbscan.predict(points).tolist() == [-1] * 50


@pytest.mark.parametrize("count", [1, 50])
def test_equal_points_are_one_cluster(count):
    points = torch.full((count, 3), 0.1)
    dbscan = DBSCAN(generator=seeded(), min_samples=1).fit(points)
    assert dbscan.num_clusters == 1
    assert dbscan.predict(points).tolist() == [0] * count
    assert KMeans(1, generator=seeded()).fit(points).predict(points).tolist() == [0] * count


def test_kmeans_of_equal_policies_does_not_complain(recwarn):
    # At the start of training all policies act alike, so K groups cannot differ.
    points = torch.ones(4, 4)
    labels = KMeans(2, generator=seeded()).fit(points).predict(points)
    assert len(set(labels.tolist())) == 1
    assert not recwarn.list


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_kmeans_equals_scikit_learn(seed):
    points, _ = blobs(count=20, seed=seed)
    kmeans = KMeans(3, generator=seeded(seed)).fit(points)
    reference = sklearn.cluster.KMeans(3, n_init=10, random_state=0).fit(standardised(points))
    assert adjusted_rand_score(kmeans.predict(points), reference.labels_) == 1.0
    ours = ((kmeans.centroids - points.mean(0)) / points.std(0, correction=0)).numpy()
    for centroid in reference.cluster_centers_:
        assert np.abs(ours - centroid).max(axis=1).min() < 1e-4


def test_kmeans_by_hand():
    # Two pairs on a line: centroids (0 + 2) / 2 = 1 and (10 + 14) / 2 = 12, in the units of the points.
    points = torch.tensor([0.0, 2.0, 10.0, 14.0])[:, None]
    kmeans = KMeans(2, generator=seeded()).fit(points)
    assert sorted(kmeans.centroids[:, 0].tolist()) == pytest.approx([1.0, 12.0], abs=1e-4)
    assert len(set(kmeans.predict(points[:2]).tolist())) == 1


def test_a_seed_stands_for_a_generator():
    points = torch.randn(200, 3, generator=seeded())
    one, other = KMeans(5, seed=3).fit(points), KMeans(5, generator=seeded(3)).fit(points)
    assert torch.equal(one.centroids, other.centroids)


@pytest.mark.parametrize("method", CLUSTERERS)
def test_equal_generators_give_equal_clusters(method):
    points = torch.randn(500, 3, generator=seeded())
    results = []
    for seed in (3, 3, 4):
        clusterer = CLUSTERERS[method](generator=seeded(seed), max_fit_points=100)
        results.append(clusterer.fit(points).predict(points))
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


def test_warm_start_keeps_the_meaning_of_labels():
    points, _ = blobs()
    kmeans = KMeans(3, generator=seeded(), warm_start=True)
    labels = kmeans.fit(points).predict(points)
    for seed in range(1, 5):
        moved, _ = blobs(seed=seed)
        assert torch.equal(kmeans.fit(moved).predict(moved), labels)


@pytest.mark.parametrize("method", CLUSTERERS)
def test_labels_survive_a_checkpoint(method):
    points = torch.randn(300, 3, generator=seeded())
    clusterer = CLUSTERERS[method](generator=seeded()).fit(points)
    restored = CLUSTERERS[method](generator=seeded(1))
    restored.load_state_dict(clusterer.state_dict())
    assert torch.equal(restored.predict(points), clusterer.predict(points))
    assert restored.num_clusters == clusterer.num_clusters


@pytest.mark.parametrize("size", [1, 30, 10_000])
def test_nearest_in_pieces(size):
    points, references = torch.randn(50, 3, generator=seeded()), torch.randn(7, 3, generator=seeded(1))
    distance, index = nearest(points, references, Batches(size))
    everything = (points[:, None] - references).norm(dim=-1)
    torch.testing.assert_close(distance, everything.min(dim=1).values)
    assert torch.equal(index, everything.argmin(dim=1))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: KMeans(0, generator=seeded()), "num_clusters = 0"),
        (lambda: KMeans(2.5, generator=seeded()), "num_clusters = 2.5"),
        (lambda: DBSCAN(generator=seeded(), eps=0.0), "eps = 0.0"),
        (lambda: DBSCAN(generator=seeded(), eps_quantile=1.5), "eps_quantile = 1.5"),
        (lambda: DBSCAN(generator=seeded(), min_samples=0), "min_samples = 0"),
        (lambda: DBSCAN(generator=seeded(), reach=0.5), "reach = 0.5"),
        (lambda: DBSCAN(generator=seeded(), backend="faiss"), "backend = 'faiss'.*'cuml'"),
        (lambda: DBSCAN(generator=seeded()).fit(torch.tensor([[0.0], [torch.nan]])), "1 of 2 points .* point 1"),
        (lambda: DBSCAN(generator=seeded()).fit(torch.zeros(4)), r"shape \(4,\)"),
        (lambda: DBSCAN(generator=seeded()).fit(torch.zeros(4, 2)).predict(torch.zeros(4, 3)), "3 dimensions"),
        (lambda: KMeans(2, generator=seeded(), backend="cuml").fit(torch.zeros(4, 2)), "backend = 'cuml'"),
    ],
)
def test_names_what_is_wrong(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_more_clusters_than_points_are_a_setting_to_change():
    with pytest.raises(ConfigError, match="num_clusters = 5 .* 4 points"):
        KMeans(5, generator=seeded()).fit(torch.zeros(4, 2))


def test_a_smaller_sample_still_holds_all_clusters():
    refitting = Refitting(KMeans(1100, generator=seeded(), max_fit_points=2048), max_interval=4)
    for _ in range(3):
        refitting._adapt(0.0)
    assert refitting.fit_points == 1100


def test_backend_follows_the_device():
    assert backends.resolve_backend("auto", torch.device("cpu")) == "sklearn"
    assert backends.resolve_backend("auto", torch.device("cuda:1")) == "cuml"
    assert backends.resolve_backend("sklearn", torch.device("cuda")) == "sklearn"


def test_says_how_to_get_cuml(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(backends.importlib, "import_module", missing)
    with pytest.raises(ConfigError, match=r"isaaclab.sh -i gpu"):
        backends.import_cuml_cluster()


@pytest.mark.gpu
@pytest.mark.parametrize(
    "make", [lambda: DBSCAN(generator=seeded(), reach=10.0), lambda: KMeans(3, generator=seeded())]
)
def test_cuml_finds_the_same_clusters(make):
    pytest.importorskip("cuml")
    points, truth = blobs()
    clusterer = make().fit(points.cuda())
    labels = clusterer.predict(points.cuda())
    assert labels.is_cuda
    assert adjusted_rand_score(truth, labels.cpu()) == 1.0
