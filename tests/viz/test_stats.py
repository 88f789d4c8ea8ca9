"""Pooling seeds: the numbers of the line and of its band."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from rlkit.viz.stats import bootstrap_band, clean_curve, common_grid, final_value, moving_average, pool


def curve(x, y, smooth=1):
    return clean_curve(np.asarray(x, float), np.asarray(y, float), smooth)


def test_clean_curve_sorts_and_drops():
    cleaned = curve([3, 1, 2, 2, 4, np.nan, 5], [30, 10, 20, 21, np.nan, 1, np.inf])
    np.testing.assert_array_equal(cleaned.x, [1, 2, 3])
    np.testing.assert_array_equal(cleaned.y, [10, 21, 30])
    assert len(curve([], []).x) == 0
    assert len(curve([np.nan], [1], smooth=9).x) == 0


def test_moving_average():
    np.testing.assert_allclose(moving_average(np.array([0.0, 3, 6, 0, 9]), 3), [0, 3, 3, 5, 9])
    line = np.arange(20.0)
    np.testing.assert_allclose(moving_average(line, 7), line)
    np.testing.assert_allclose(moving_average(line, 1000), line)


def test_a_run_comes_to_the_middle_of_its_last_tenth_but_of_five_values_at_least():
    assert final_value(np.array([0.0, 0, 0, 1, 2, 3, 4, 100])) == 3  # of 1, 2, 3, 4, 100
    assert final_value(np.arange(200.0)) == 189.5
    assert final_value(np.array([1.0, np.nan, 3])) == 2
    assert np.isnan(final_value(np.array([np.nan])))


def test_mean_of_seeds_on_one_grid():
    pooled = pool([curve([1, 2, 3], [0, 0, 0]), curve([1, 2, 3], [2, 4, 6])])
    np.testing.assert_array_equal(pooled.x, [1, 2, 3])
    np.testing.assert_allclose(pooled.center, [1, 2, 3])
    np.testing.assert_allclose(pooled.low, [0, 0, 0])
    np.testing.assert_allclose(pooled.high, [2, 4, 6])


def test_unequal_spacing_is_interpolated():
    pooled = pool([curve([0, 10], [0, 10]), curve([0, 5, 10], [0, 5, 10])])
    np.testing.assert_array_equal(pooled.x, [0, 5, 10])
    np.testing.assert_allclose(pooled.center, [0, 5, 10])
    np.testing.assert_allclose(pooled.low, pooled.high)


def test_unequal_length_ends_where_less_than_half_remain():
    pooled = pool([curve([1, 2], [1, 1]), curve([1, 2, 3], [2, 2, 2]), curve([1, 2, 3, 4], [6, 6, 6, 6])])
    np.testing.assert_array_equal(pooled.x, [1, 2, 3])
    np.testing.assert_array_equal(pooled.count, [3, 3, 2])
    np.testing.assert_allclose(pooled.center, [3, 3, 4])


def test_seeds_that_end_a_little_apart_all_count_to_the_end():
    early = curve([0.8, 1.9, 2.8], [3, 3, 9])
    pooled = pool([early, curve([1, 2, 3], [0, 0, 0]), curve([1.1, 2.1, 3.1], [0, 0, 0])])
    assert (pooled.count == 3).all()
    np.testing.assert_allclose(pooled.center[[0, -1]], [1, 3])


def test_one_seed_has_no_band_and_no_seeds_no_points():
    pooled = pool([curve([1, 2], [3, 4])])
    np.testing.assert_array_equal(pooled.center, [3, 4])
    assert np.isnan(pooled.low).all()
    assert len(pool([curve([], [])]).x) == 0


def test_long_curves_get_an_even_grid():
    grid = common_grid([curve(np.arange(5000), np.zeros(5000)), curve(np.arange(5000) + 0.5, np.zeros(5000))], 300)
    assert len(grid) == 300
    np.testing.assert_allclose(np.diff(grid), np.diff(grid)[0])


def test_iqm_ignores_one_dip_of_four():
    seeds = [curve([1, 2], [10, value]) for value in (10, 12, 11, -1000)]
    pooled = pool(seeds, "iqm")
    np.testing.assert_allclose(pooled.center, [10, 10.5])


@pytest.mark.parametrize("statistic", ["mean", "iqm"])
def test_band_agrees_with_scipys_bootstrap(statistic):
    values = np.random.default_rng(3).normal(size=(8, 5)) * [1, 2, 3, 4, 5]
    function = np.mean if statistic == "mean" else lambda v, axis: scipy_stats.trim_mean(v, 0.25, axis=axis)
    expected = scipy_stats.bootstrap(
        (values,), function, axis=0, n_resamples=20_000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    low, high = bootstrap_band(values, statistic, num_resamples=20_000)
    scale = values.std(axis=0)
    np.testing.assert_allclose(low / scale, expected.low / scale, atol=0.1)
    np.testing.assert_allclose(high / scale, expected.high / scale, atol=0.1)


def test_band_of_the_mean_has_the_width_theory_gives():
    values = np.random.default_rng(0).normal(size=(400, 50))
    low, high = bootstrap_band(values, "mean", num_resamples=4000)
    expected = 2 * 1.96 * values.std(axis=0) / np.sqrt(400)
    np.testing.assert_allclose(high - low, expected, rtol=0.08)
    covered = ((low < 0) & (high > 0)).mean()
    assert 0.85 <= covered <= 1.0


def test_band_is_the_same_each_time():
    values = np.random.default_rng(0).normal(size=(4, 3))
    np.testing.assert_array_equal(bootstrap_band(values, "mean"), bootstrap_band(values, "mean"))
