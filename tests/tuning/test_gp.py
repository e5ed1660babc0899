"""The Gaussian process: its mathematics, and what it makes of histories."""

import math
from collections.abc import Callable
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest

from app.domain.space import Space
from app.domain.states import TrialState
from app.domain.values import Params
from app.tuning.columns import Columns
from app.tuning.encoding import Array
from app.tuning.fronts import non_dominated
from app.tuning.gaussian.acquisition import LEAST_IMPROVEMENT, Improvement, improvement_slopes, log_improvement
from app.tuning.gaussian.features import Features
from app.tuning.gaussian.fit import NOISE_MEDIAN, Hyperparameters, _Objective, fit, unlearnt
from app.tuning.gaussian.hypervolume import LEAST_MARGIN, MARGIN, Hypervolume
from app.tuning.gaussian.posterior import Posterior, Watched
from app.tuning.gaussian.robust import LEAST_NOISE, learn
from app.tuning.gaussian.search import N_BASES, Search, everywhere, trust_region
from app.tuning.gaussian.success import Success
from app.tuning.gaussian.warp import warp
from app.tuning.gp import Gp
from app.tuning.strategy import Observation, generator
from tests.spaces import EXAMPLE

MOMENTUM = {"type": "float_range", "min": 0.0, "max": 0.99, "when": {"optimizer": ["sgd"]}}
SPACE = Space.from_json({**EXAMPLE, "momentum": MOMENTUM})
COLUMNS = Columns(SPACE)
FEATURES = Features(COLUMNS)


def rows_of(n: int) -> Array:
    return COLUMNS.settle(np.random.default_rng(3).random((n, COLUMNS.size)))


def slopes_of(function: Callable[[Array], float], at: Array) -> Array:
    """By central differences."""
    steps = 1e-5 * np.eye(len(at))
    return np.array([(function(at + step) - function(at - step)) / 2e-5 for step in steps])


def test_features_have_the_distances_that_pairs_have() -> None:
    rows = rows_of(20)
    weights = np.arange(1.0, COLUMNS.size + 1)
    scaled = FEATURES.of(rows) * np.sqrt(weights)[FEATURES.column]
    first, second = np.triu_indices(20, 1)
    np.testing.assert_allclose(
        ((scaled[first] - scaled[second]) ** 2).sum(axis=1), FEATURES.pair_distances(rows) @ weights, atol=1e-12
    )


def test_a_trial_without_a_number_is_far_from_those_that_have_it() -> None:
    rows = rows_of(20)
    first, second = np.triu_indices(20, 1)
    is_active = ~np.isnan(rows)
    distances = FEATURES.pair_distances(rows)
    alone = (is_active[first] != is_active[second]) & ~COLUMNS.is_unordered
    assert alone.any()
    assert (distances[alone] >= 1).all()
    both = is_active[first] & is_active[second] & ~COLUMNS.is_unordered
    assert (distances[both] < 1).all()


def test_the_gradient_of_the_fit_is_that_of_its_value() -> None:
    rows = rows_of(25)
    objective = _Objective(FEATURES, rows, np.sin(np.arange(25.0)), NOISE_MEDIAN, np.linspace(1.0, 900.0, 25))
    logs = objective.centre + np.random.default_rng(5).normal(0, 0.5, len(objective.centre))
    numeric = slopes_of(lambda x: objective(x)[0], logs)
    np.testing.assert_allclose(objective(logs)[1], numeric, rtol=1e-4, atol=1e-4)


def test_a_parameter_that_does_nothing_gets_a_long_scale() -> None:
    space = Space.from_json({name: {"type": "float_range", "min": 0, "max": 1} for name in "ab"})
    rows = np.random.default_rng(1).random((40, 2))
    targets = warp(np.sin(6 * rows[:, 0])).targets
    learnt = fit(Features(Columns(space)), rows, targets)
    assert learnt.weights[0] > 20 * learnt.weights[1]
    assert learnt.noise < 0.01


def test_a_fit_goes_on_from_where_another_one_has_ended() -> None:
    rows, targets = rows_of(40), np.sin(np.arange(40.0))
    learnt = fit(FEATURES, rows, targets)
    again = fit(FEATURES, rows, targets, start=learnt)
    np.testing.assert_allclose(again.logs, learnt.logs, atol=0.05)


NUMBERS = Features(Columns(Space.from_json({name: {"type": "float_range", "min": 0, "max": 1} for name in "abcd"})))


def near_the_best(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    """Trials as a search makes them, and their losses, without any luck."""
    rows = np.clip(0.4 + 0.2 * rng.normal(size=(n, 4)), 0.0, 1.0)
    return rows, ((rows - 0.4) ** 2).sum(axis=1)


def trusting(rows: Array, targets: Array) -> Posterior:
    return Posterior(NUMBERS, fit(NUMBERS, rows, targets), rows, targets)


def test_trials_that_came_out_badly_by_chance_hide_nothing_of_the_others() -> None:
    rng = np.random.default_rng(5)
    (rows, losses), (others, expected) = near_the_best(rng, 60), near_the_best(rng, 200)
    warped = warp(losses + np.where(rng.random(60) < 0.15, rng.uniform(0.2, 1.0, 60), 0.0))
    doubting = learn(NUMBERS, rows, warped.targets)
    far, near, as_near = (
        np.abs(warped.losses(known.at(others)[0]) - expected).mean() / expected.std()
        for known in (
            trusting(rows, warped.targets),
            doubting,
            doubting.believing(unlearnt(doubting.hyperparameters)),
        )
    )
    assert max(near, as_near) < 0.3 < 1.0 < far


@pytest.mark.parametrize("noise", [0.1, 0.5, 1.0])
def test_noise_that_all_trials_share_is_no_reason_to_doubt_some(noise: float) -> None:
    rng = np.random.default_rng(5)
    rows, losses = near_the_best(rng, 80)
    targets = warp(losses + noise * losses.std() * rng.normal(size=80)).targets
    plain = trusting(rows, targets)
    assert plain.hyperparameters.noise > LEAST_NOISE
    np.testing.assert_array_equal(learn(NUMBERS, rows, targets).at(rows), plain.at(rows))


def test_nobody_is_thought_to_be_better_by_chance() -> None:
    rng = np.random.default_rng(5)
    rows, losses = near_the_best(rng, 60)
    targets = warp(losses - np.where(rng.random(60) < 0.15, rng.uniform(0.2, 1.0, 60), 0.0)).targets
    np.testing.assert_array_equal(learn(NUMBERS, rows, targets).at(rows), trusting(rows, targets).at(rows))


def test_the_trend_goes_on_where_nothing_was_seen() -> None:
    space = Space.from_json({name: {"type": "float_range", "min": 0, "max": 1} for name in "abcd"})
    rows = 0.8 * np.random.default_rng(1).random((24, 4))
    corners = np.array([[0.0, 0.0, 1.0, 1.0], [1.0, 0.0, 1.0, 0.0]])
    losses, far = (((x - 0.4) ** 2 @ np.array([1.0, 2.0, 3.0, 4.0])) for x in (rows, corners))
    features, targets = Features(Columns(space)), (losses - losses.mean()) / losses.std()
    learnt = fit(features, rows, targets)
    expected = (far - losses.mean()) / losses.std()
    with_trend, without = (
        Posterior(features, known, rows, targets).at(corners)[0] for known in (learnt, replace(learnt, trend=0.0))
    )
    np.testing.assert_allclose(with_trend, expected, rtol=0.1)
    assert (np.abs(without - expected) > 0.3 * expected).all()


def test_a_trend_has_no_part_in_what_is_inactive_and_none_in_the_mean() -> None:
    space = Space.from_json(
        {
            "a": {"type": "flag"},
            "b": {"type": "float_range", "min": 0, "max": 1, "when": {"a": [True]}},
            "c": {"type": "float_range", "min": 0, "max": 1},
        }
    )
    columns = Columns(space)
    features = Features(columns)
    rows = columns.settle(np.random.default_rng(1).random((4000, 3)))
    trend = features.trend(features.of(rows))
    np.testing.assert_allclose(trend.mean(axis=0), 0, atol=0.03)
    is_inactive = np.isnan(rows[:, list(space.order).index("b")])
    of_b = [column for column in trend.T if not column[is_inactive].any()]
    assert len(of_b) == 2
    assert all(column[~is_inactive].all() for column in of_b)


def test_the_posterior_knows_what_it_has_seen_and_doubts_the_rest() -> None:
    rows = rows_of(12)
    targets = np.linspace(-1, 1, 12)
    posterior = Posterior(FEATURES, Hyperparameters(np.full(COLUMNS.size, 4.0), 1.0, 0.3, 1e-6), rows, targets)
    mean, std = posterior.at(rows)
    np.testing.assert_allclose(mean, targets, atol=1e-3)
    assert (std < 0.01).all()
    new = rows_of(60)[30:31]
    before = posterior.at(new)
    grown, expected = posterior.awaiting(new[0])
    after = grown.at(new)
    assert after[0] == pytest.approx(before[0], abs=1e-4)
    assert expected == pytest.approx(before[0][0])
    assert after[1][0] < 0.01 < before[1][0]


def test_what_is_awaited_counts_as_if_it_had_come_out_as_expected() -> None:
    rows, new, others = np.split(rows_of(40), [12, 15])
    hyperparameters = Hyperparameters(np.full(COLUMNS.size, 2.0), 1.3, 0.7, 0.1)
    targets = np.cos(np.arange(12.0))
    posterior = Posterior(FEATURES, hyperparameters, rows, targets)
    told = np.concatenate([targets, posterior.at(new)[0]])
    watched = Watched(posterior, others)
    for row in new:
        posterior, _ = posterior.awaiting(row)
        watched.follow(posterior)
    for mean, std in (posterior.at(others), (watched.mean, watched.std)):
        expected = Posterior(FEATURES, hyperparameters, np.vstack([rows, new]), told).at(others)
        np.testing.assert_allclose([mean, std], expected, rtol=1e-9)


def test_the_slopes_of_the_posterior_are_those_of_its_values() -> None:
    rows = rows_of(12)
    posterior = Posterior(
        FEATURES, Hyperparameters(np.full(COLUMNS.size, 2.0), 1.3, 0.7, 1e-3), rows, np.cos(np.arange(12))
    )
    point = FEATURES.of(rows_of(40)[39:])[0]
    _, _, mean_slope, std_slope = posterior.slopes_at(point)
    np.testing.assert_allclose(mean_slope, slopes_of(lambda x: posterior.slopes_at(x)[0], point), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(std_slope, slopes_of(lambda x: posterior.slopes_at(x)[1], point), rtol=1e-4, atol=1e-4)


def test_log_improvement_is_the_logarithm_of_the_expected_improvement() -> None:
    def direct(mean: float, std: float, best: float) -> float:
        z = (best - mean) / std
        density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
        return std * (density + z * 0.5 * math.erfc(-z / math.sqrt(2)))

    for mean in (-2.0, 0.0, 1.0, 3.0):
        found = log_improvement(np.array([mean]), np.array([0.7]), 0.2)[0]
        assert found == pytest.approx(math.log(direct(mean, 0.7, 0.2)), rel=1e-8)


def test_log_improvement_still_tells_hopeless_points_apart() -> None:
    logs = log_improvement(np.array([10.0, 1e3, 1e6, 1e9]), np.ones(4), 0.0)
    assert np.isfinite(logs).all()
    assert (np.diff(logs) < 0).all()


@pytest.mark.parametrize("mean", [-1.0, 0.5, 3.0, 8.0, 40.0, 2000.0])
def test_the_slopes_of_the_improvement_are_those_of_its_value(mean: float) -> None:
    log, by_mean, by_std = improvement_slopes(mean, 0.8, 0.1)
    assert log == pytest.approx(log_improvement(np.array([mean]), np.array([0.8]), 0.1)[0], rel=1e-6)
    step = 1e-5
    for slope, plus, minus in (
        (by_mean, (mean + step, 0.8), (mean - step, 0.8)),
        (by_std, (mean, 0.8 + step), (mean, 0.8 - step)),
    ):
        numeric = (improvement_slopes(*plus, 0.1)[0] - improvement_slopes(*minus, 0.1)[0]) / (2 * step)
        assert slope == pytest.approx(numeric, rel=1e-3)


def hypervolume(targets: Array, reference: Array) -> float:
    """What these targets, shape (n, k), dominate up to the reference: slice by slice along the last objective."""
    targets = targets[(targets < reference).all(axis=1)]
    if targets.shape[1] == 1:
        return float((reference - targets.min(axis=0, initial=reference[0]))[0])
    targets = targets[np.argsort(targets[:, -1])]
    ends = np.append(targets[1:, -1], reference[-1])
    slices = enumerate(zip(targets[:, -1].tolist(), ends.tolist(), strict=True), start=1)
    return sum(hypervolume(targets[:n, :-1], reference[:-1]) * float(end - own) for n, (own, end) in slices)


@pytest.mark.parametrize("k", [2, 3])
def test_the_hypervolume_promises_what_it_grows_by_on_average(k: int) -> None:
    rng = np.random.default_rng(5)
    expected = rng.normal(size=(k, 12))
    goal = Hypervolume(expected)
    means, stds = rng.normal(-0.3, 0.6, size=(k, 8)), rng.uniform(0.2, 0.9, size=(k, 8))
    front = expected.T[non_dominated([*map(tuple, expected.T.tolist())])]
    low, high = front.min(axis=0), front.max(axis=0)
    reference = high + np.maximum(MARGIN * (high - low), LEAST_MARGIN)
    # What counts must be better by a little.
    reached = front - LEAST_IMPROVEMENT
    before = hypervolume(reached, reference)
    draws = means + stds * rng.normal(size=(400, k, 8))
    growth = [
        np.mean([hypervolume(np.vstack([reached, draw]), reference) - before for draw in draws[:, :, place]])
        for place in range(8)
    ]
    promised = np.exp(goal.log_promise(means, stds))
    # Up to a factor, as only their order counts.
    np.testing.assert_allclose(promised / promised.sum(), growth / np.sum(growth), atol=0.03)


@pytest.mark.parametrize("k", [2, 3, 5, 10])
def test_a_rough_look_along_few_rays_finds_what_promises_most(k: int) -> None:
    rng = np.random.default_rng(5)
    goal = Hypervolume(rng.normal(size=(k, 30)))
    means, stds = rng.normal(size=(k, 200)), rng.uniform(0.1, 0.6, size=(k, 200))
    promised, rough = goal.log_promise(means, stds), goal.rough_promise(means, stds)
    assert np.argmax(promised) in np.argsort(-rough)[:N_BASES]
    assert np.array_equal(rough, promised) == (k == 2)  # of two objectives there are no more rays


@pytest.mark.parametrize("away", [0.0, 3.0, 80.0])
def test_the_slopes_of_the_hypervolume_are_those_of_its_value(away: float) -> None:
    goal = Hypervolume(np.random.default_rng(5).normal(size=(3, 12)))
    at = np.array([0.1 + away, -0.2 + away, 0.3, 0.4, 0.2, 0.7])
    value, by_mean, by_std = goal.slopes(at[:3], at[3:])
    assert value == pytest.approx(goal.log_promise(at[:3, None], at[3:, None])[0])

    def promise(x: Array) -> float:
        return float(goal.log_promise(x[:3, None], x[3:, None])[0])

    np.testing.assert_allclose(np.append(by_mean, by_std), slopes_of(promise, at), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("away", [1e6, 1e10])
def test_the_slopes_of_the_hypervolume_lead_back_from_where_there_is_no_hope(away: float) -> None:
    goal = Hypervolume(np.array([[0.0, 1.0], [1.0, 0.0]]))
    value, by_mean, by_std = goal.slopes(np.array([away, away]), np.array([0.5, 2.0]))
    # The logarithm of a normal probability far out is -z * z / 2.
    assert value == pytest.approx(-0.5 * away**2 * (0.5**-2 + 2.0**-2), rel=1e-5)
    np.testing.assert_allclose(by_mean, [-away / 0.5**2, -away / 2.0**2], rtol=1e-5)
    np.testing.assert_allclose(by_std, [away**2 / 0.5**3, away**2 / 2.0**3], rtol=1e-5)


def test_what_is_awaited_is_not_promised_again() -> None:
    expected = np.array([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]])
    goal = Hypervolume(expected)
    means, stds = np.array([[0.3, 2.5], [0.3, -0.5]]), np.full((2, 2), 0.05)
    before = goal.log_promise(means, stds)
    goal.awaits(means[:, 0])
    there, elsewhere = goal.log_promise(means, stds) - before
    assert there < -2
    assert elsewhere == pytest.approx(0.0, abs=0.01)


def test_what_is_spread_as_a_normal_distribution_stays_so() -> None:
    shares = (np.arange(400) + 0.5) / 400
    losses = np.array([NormalDist().inv_cdf(share) for share in shares])
    np.testing.assert_allclose(warp(5 + 3 * losses).targets, losses, atol=0.02)


def test_warping_keeps_the_order_and_leads_back() -> None:
    losses = np.array([3.0, 1.0, 2.0, 1e12, 5.0, math.inf, 4.0, 100.0])
    warped = warp(losses)
    finite = losses[np.isfinite(losses)]
    assert (np.diff(warped.targets[np.argsort(losses)][:-1]) > 0).all()
    assert warped.targets[5] == warped.targets.max()
    np.testing.assert_allclose(warped.losses(warped.targets[np.isfinite(losses)]), finite, rtol=1e-2)
    assert warped.targets.max() < 3  # the outlier is no further away than bad losses are
    # Beyond the best and beyond the worst there are others.
    assert (np.diff(warped.losses(np.linspace(-5, 5, 101))) > 0).all()


def test_losses_that_are_all_the_same_or_enormous_lead_back_to_numbers() -> None:
    for losses in (np.full(4, 2.0), np.array([1.7e308, -1.7e308, 0.0, 1e-300, 1.6e308])):
        found = warp(losses).losses(np.linspace(-5, 5, 101))
        assert np.isfinite(found).all()
        assert (np.diff(found) >= 0).all()


def history_of(n: int) -> list[Observation]:
    rng = np.random.default_rng(11)
    trials = [COLUMNS.decode(row) for row in COLUMNS.settle(rng.random((n, COLUMNS.size)))]
    return [
        Observation(number, params, TrialState.completed, (100 * (float(params["dropout"]) - 0.2) ** 2,))
        for number, params in enumerate(trials)
    ]


def test_it_begins_near_the_middle_and_elsewhere_for_each_seed() -> None:
    rates = set()
    for seed in range(20):
        (proposal,) = Gp(SPACE, {}).propose([], [], [generator(seed, 0)])
        assert proposal.params["num_layers"] in (3, 4)
        assert proposal.params["learning_rate"] == pytest.approx(math.sqrt(0.0001 * 0.1), rel=0.5)
        assert proposal.why["phase"] == "startup"
        rates.add(proposal.params["learning_rate"])
    assert len(rates) == 20


def test_many_pending_trials_do_not_end_the_even_look() -> None:
    pending = [trial.params for trial in history_of(20)[5:]]
    phases = [Gp(SPACE, {}).propose(history_of(n), pending, [generator(7, 20)])[0].why["phase"] for n in (2, 3)]
    assert phases == ["startup", "model"]


def test_why_has_mean_and_deviation_in_units_of_the_loss() -> None:
    (proposal,) = Gp(SPACE, {}).propose(history_of(30), [], [generator(7, 30)])
    loss = 100 * (float(proposal.params["dropout"]) - 0.2) ** 2
    assert abs(proposal.why["mean"] - loss) < 1
    assert 0 < proposal.why["std"] < 5


def test_it_looks_where_it_is_good() -> None:
    proposals = Gp(SPACE, {}).propose(history_of(40), [], [generator(7, number) for number in range(40, 44)])
    assert all(abs(float(proposal.params["dropout"]) - 0.2) <= 0.1 for proposal in proposals)


def test_with_two_objectives_it_looks_along_the_whole_front() -> None:
    space = Space.from_json({name: {"type": "float_range", "min": 0, "max": 1} for name in "xy"})
    history = [
        Observation(
            n, {"x": x, "y": y}, TrialState.completed, (abs(x - 0.2) + abs(y - 0.5), abs(x - 0.8) + abs(y - 0.5))
        )
        for n, (x, y) in enumerate(np.random.default_rng(3).random((30, 2)).tolist())
    ]
    proposals = Gp(space, {}).propose(history, [], [generator(1, number) for number in range(30, 42)])
    assert sum(0.35 < float(proposal.params["x"]) < 0.65 for proposal in proposals) >= 4


def test_proposals_asked_for_together_differ_and_none_was_tried() -> None:
    space = Space.from_json(
        {"a": {"type": "choice", "options": list("abcd")}, "b": {"type": "int_range", "min": 1, "max": 5}}
    )
    all_params: list[Params] = [{"a": a, "b": b} for a in "abcd" for b in range(1, 6)]
    history = [Observation(n, p, TrialState.completed, (float(n % 7),)) for n, p in enumerate(all_params[:12])]
    proposals = Gp(space, {}).propose(history, [], [generator(7, number) for number in range(12, 20)])
    new = {(proposal.params["a"], proposal.params["b"]) for proposal in proposals}
    assert new == {(p["a"], p["b"]) for p in all_params[12:]}


@pytest.mark.parametrize("n_objectives", [1, 2])
def test_where_all_was_tried_workers_get_different_trials_once_more(n_objectives: int) -> None:
    space = Space.from_json({"a": {"type": "choice", "options": list("abcd")}, "b": {"type": "flag"}})
    all_params: list[Params] = [{"a": a, "b": b} for a in "abcd" for b in (False, True)]
    history = [
        Observation(n, p, TrialState.completed, (float(n), -float(n))[:n_objectives]) for n, p in enumerate(all_params)
    ]
    proposals = Gp(space, {}).propose(history, [], [generator(7, number) for number in range(8, 24)])
    assert len({(proposal.params["a"], proposal.params["b"]) for proposal in proposals}) >= 4


def test_an_improvement_must_be_one_on_what_is_awaited_too() -> None:
    rows = rows_of(12)
    hyperparameters = Hyperparameters(np.full(COLUMNS.size, 2.0), 1.0, 0.7, 1e-3)
    posterior = Posterior(FEATURES, hyperparameters, rows, np.cos(np.arange(12.0)))
    search = Search(COLUMNS, [posterior], Improvement, None, rows, everywhere(COLUMNS), generator(7, 1))
    row, is_new = search.best_row(generator(7, 12))
    assert is_new
    search.awaits(row)
    assert search.best_row(generator(7, 12))[0].tobytes() != row.tobytes()
    mean, std = posterior.at(row[None])
    goal = Improvement(posterior.at(rows)[0][None])
    before = goal.log_promise(mean[None], std[None])
    goal.awaits(mean)
    assert goal.log_promise(mean[None], std[None]) < before


def test_a_search_in_a_trust_region_stays_near_the_best_trial() -> None:
    rows = rows_of(12)
    weights = np.linspace(1.0, 9.0, COLUMNS.size)
    posterior = Posterior(FEATURES, Hyperparameters(weights, 1.0, 0.7, 1e-3), rows, np.cos(np.arange(12.0)))
    region = trust_region(COLUMNS, [posterior], 12, generator(7, 1))
    is_number = ~COLUMNS.is_unordered
    best = rows[np.argmin(posterior.at(rows)[0])]
    known = is_number & ~np.isnan(best)
    assert known.sum() > 1
    assert (region.low[known] <= best[known]).all()
    assert (best[known] <= region.high[known]).all()
    # Where the loss changes more slowly it is wider, but for the sides of the space.
    inner = known & (region.low > 0) & (region.high < 1)
    assert inner.sum() > 1
    assert (np.diff((region.high - region.low)[inner]) < 0).all()
    # With many trials it becomes narrower, by half from 50 to 200.
    late = trust_region(COLUMNS, [posterior], 200, generator(7, 1))
    assert (late.high - late.low)[inner] == pytest.approx((region.high - region.low)[inner] / 2)
    search = Search(COLUMNS, [posterior], Improvement, None, rows, region, generator(7, 1))
    for number in range(12, 20):
        row, _ = search.best_row(generator(7, number))
        search.awaits(row)
        continuous = is_number & (COLUMNS.n_levels == 0) & ~np.isnan(row)
        assert (region.low[continuous] <= row[continuous]).all()
        assert (row[continuous] <= region.high[continuous]).all()


def test_what_the_best_trial_lacks_is_near_the_best_trial_that_has_it() -> None:
    number = {"type": "float_range", "min": 0.0, "max": 1.0}
    space = Space.from_json(
        {
            "kind": {"type": "choice", "options": ["a", "b", "c"]},
            **{name: {**number, "when": {"kind": [kind]}} for name, kind in (("x", "a"), ("y", "b"), ("z", "c"))},
        }
    )
    columns = Columns(space)
    trials: list[Params] = [{"kind": "b", "y": 0.3}, {"kind": "a", "x": 0.4}, {"kind": "b", "y": 0.7}]
    known = Hyperparameters(np.full(4, 9.0), 1.0, 0.7, 1e-3)
    posterior = Posterior(Features(columns), known, columns.encode(trials), np.array([1.0, -1.0, 0.0]))
    region = trust_region(columns, [posterior], 3, generator(7, 1))
    kind, x, y, z = (space.order.index(name) for name in ("kind", "x", "y", "z"))
    assert 0 < region.low[x] < 0.4 < region.high[x] < 1
    assert 0 < region.low[y] < 0.7 < region.high[y] < 1
    assert (region.low[[kind, z]] == 0).all()  # nobody has tried z
    assert (region.high[[kind, z]] == 1).all()


def test_when_a_trust_region_has_nothing_new_the_search_goes_on_everywhere() -> None:
    space = Space.from_json({"n": {"type": "int_range", "min": 1, "max": 100}})
    history = [
        Observation(i, {"n": n}, TrialState.completed, (float(abs(n - 50)),)) for i, n in enumerate(range(10, 91))
    ]
    [proposal] = Gp(space, {}).propose(history, [], [generator(7, 81)])
    assert proposal.why["search"] == "global"
    n = proposal.params["n"]
    assert isinstance(n, int)
    assert not 10 <= n <= 90


def test_searches_take_turns() -> None:
    proposals = Gp(SPACE, {}).propose(history_of(12), [], [generator(7, number) for number in range(12, 16)])
    assert [p.why["search"] for p in proposals] == ["unlearnt", "trust region", "global", "trust region"]


def test_more_pending_trials_than_are_looked_at_make_no_difference_to_how_it_is_asked() -> None:
    trials = [trial.params for trial in history_of(140)]
    together = Gp(SPACE, {}).propose(history_of(12), trials[12:110], [generator(7, n) for n in range(110, 114)])
    pending = [*trials[12:110], *(proposal.params for proposal in together[:3])]
    assert Gp(SPACE, {}).propose(history_of(12), pending, [generator(7, 113)]) == together[3:]


def test_it_keeps_away_from_where_trials_have_no_score() -> None:
    space = Space.from_json({"x": {"type": "float_range", "min": 0, "max": 1}})
    history = [
        Observation(number, {"x": x}, TrialState.infeasible, None)
        if x > 0.55
        else Observation(number, {"x": x}, TrialState.completed, ((x - 0.7) ** 2,))
        for number, x in enumerate(np.linspace(0, 1, 13).tolist())
    ]
    proposals = Gp(space, {}).propose(history, [], [generator(7, number) for number in range(13, 17)])
    assert all(0.4 < float(proposal.params["x"]) < 0.66 for proposal in proposals)


def test_one_failure_among_successes_condemns_nobody() -> None:
    columns = Columns(Space.from_json({"x": {"type": "float_range", "min": 0, "max": 1}}))
    rows = np.linspace(0, 1, 21)[:, None]
    weights = np.array([10.0])
    chance = np.exp(Success(Features(columns), weights, rows, rows[:, 0] != 0.5).log_chances(rows))
    assert chance.min() > 0.9
    chance = np.exp(Success(Features(columns), weights, rows, rows[:, 0] < 0.5).log_chances(rows))
    assert chance[5] > 0.9
    assert chance[15] < 0.1


def test_a_long_history_is_learnt_from_as_well() -> None:
    (proposal,) = Gp(SPACE, {}).propose(history_of(1000), [], [generator(7, 1000)])
    assert abs(float(proposal.params["dropout"]) - 0.2) <= 0.1


def test_of_a_long_history_of_two_objectives_the_front_is_learnt_from() -> None:
    space = Space.from_json({name: {"type": "float_range", "min": 0, "max": 1} for name in "xy"})
    history = [
        Observation(n, {"x": x, "y": y}, TrialState.completed, (x**2 + (y - 0.5) ** 2, (x - 1) ** 2 + (y - 0.5) ** 2))
        for n, (x, y) in enumerate(np.random.default_rng(3).random((600, 2)).tolist())
    ]
    proposals = Gp(space, {}).propose(history, [], [generator(1, number) for number in range(600, 608)])
    assert all(abs(float(proposal.params["y"]) - 0.5) < 0.05 for proposal in proposals)
    assert all(std < 0.1 for proposal in proposals for std in proposal.why["stds"])
