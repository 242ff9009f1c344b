"""The predictive family: what it learns, its frozen rule, and that it can't know the future."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from segkit.clustering import predictive as segments
from segkit.clustering.assign import assign_customers
from segkit.clustering.assignment_rules import predict_outcomes
from segkit.clustering.families import BASELINES, FAMILIES
from segkit.clustering.fit import Candidate, Sample
from segkit.clustering.freeze import freeze_candidate
from segkit.clustering.outcome_models import OutcomeModels, Period, learn_again, learn_outcomes, learn_ramps
from segkit.clustering.predictive import PREDICTIVE, cut_predictions, fit_predictive, tune_value_weight
from segkit.clustering.segmentation import Segmentation
from segkit.data.cards.card import read_card
from segkit.data.orders import read_orders
from segkit.data.ready_table import ReadyRows
from segkit.features.build import CustomerFeatures, customer_features
from segkit.preprocessing.prepare import CustomerMatrix, features_from, fit_matrix, prepare
from segkit.validation.candidates import Candidates, empty_table
from segkit.validation.compare import compare
from segkit.validation.forward import ceiling as ceilings
from segkit.validation.forward.ceiling import best_ceiling
from segkit.validation.forward.judge import judge, judge_kept, refit_candidates
from segkit.validation.forward.look_back import Future, learn_outcomes_before, look_back
from segkit.validation.forward.losses import assign_folds
from segkit.validation.forward.origins import unseen_outcomes
from segkit.validation.forward.skill import forward_skill
from segkit.validation.resample import weigh
from segkit.validation.stability import Recipe
from segkit.validation.sureness import resample_rules

ABOUT = pd.DataFrame(
    {"family": ["value", "price", "taste"], "kind": ["money", "share", "number"]}, index=["spend", "deals", "noise"]
)
KINDS = pd.DataFrame({"group": ["value", "behaviour"], "loss": ["money", "share"]}, index=["next_spend", "next_deals"])


def shop(seed: int, customers: int = 600) -> Period:
    """Customers who go on as they did: spending and hunting for deals are unrelated; a third feature says nothing."""
    draw = np.random.default_rng(seed)
    index = pd.Index([f"c{number:04}" for number in range(customers)], name="customer_id")
    spender, hunter, *noise = draw.normal(size=(7, customers))
    features = {"spend": np.exp(4 + spender + noise[0] / 9), "deals": 0.4 + 0.08 * hunter, "noise": noise[1]}
    outcomes = {"next_spend": np.exp(4 + spender + noise[2] / 9), "next_deals": 0.4 + 0.08 * hunter + noise[3] / 99}
    return Period(pd.DataFrame(features, index=index), ABOUT, pd.DataFrame(outcomes, index=index))


def explained(labels: np.ndarray, feature: pd.Series) -> float:
    ranks = feature.rank()
    return float(ranks.groupby(labels).transform("mean").var() / ranks.var())


def matrix_of(now: pd.DataFrame, models: OutcomeModels) -> CustomerMatrix:
    return prepare(CustomerFeatures(now, ABOUT, {}, date(2020, 7, 28), 365), models=models)


def labels_of(models: OutcomeModels, now: pd.DataFrame, **params) -> np.ndarray:
    return fit_predictive(Sample(models.matrix.transform(now), models=models), seed=0, **params).labels


def fitted(k: int = 4, **params):
    now = shop(1).features
    models = learn_outcomes([shop(0)], KINDS, now, seed=0)
    return models, now, labels_of(models, now, k=k, **params)


def grid(models: OutcomeModels) -> list[Candidate]:
    return PREDICTIVE.grid(matrix_of(shop(1).features, models), range(2, 9))


def test_segments_are_those_that_will_differ():
    _, now, labels = fitted(9)
    assert min(explained(labels, now[name]) for name in ("spend", "deals")) > 0.7
    assert explained(labels, now["noise"]) < 0.05


def test_a_shop_with_twice_the_orders_gets_the_same_segments():
    models, now, labels = fitted()
    doubled = now.assign(spend=2 * now["spend"] + 1)  # log1p moves by nearly the same for everybody
    again = learn_outcomes([shop(0)], KINDS, doubled, seed=0)
    assert (labels_of(again, doubled, k=4) == labels).mean() > 0.99


def test_the_weight_of_value_decides_what_two_segments_tell():
    now = shop(1).features
    for weight, told, untold in ((9.0, "spend", "deals"), (0.1, "deals", "spend")):
        labels = fitted(2, value_weight=weight)[2]
        assert explained(labels, now[told]) > 0.6 > 0.1 > explained(labels, now[untold])


def test_an_outcome_left_out_is_not_seen():
    _, now, labels = fitted(2, without="next_spend")
    assert explained(labels, now["deals"]) > 0.6 > 0.1 > explained(labels, now["spend"])


def test_layers_are_tiers_of_value_and_inside_the_upper_ones_the_same_kinds_of_behaviour():
    models, now, labels = fitted(7, tiers=3)
    table = now.assign(label=labels, rank=now["spend"].rank(pct=True))
    lowest = table.groupby("label")["rank"].mean().idxmin()
    assert table["rank"][table["label"] == lowest].quantile(0.9) < table["rank"][table["label"] != lowest].quantile(0.1)
    above = table[table["label"] != lowest]
    middles = above.groupby("label")[["rank", "deals"]].mean()
    upper = middles["rank"] > middles["rank"].mean()
    np.testing.assert_allclose(*(np.sort(middles["deals"][each]) for each in (upper, ~upper)), atol=0.03)
    assert np.ptp(middles["deals"][upper]) > 2 * now["deals"].std()


def test_behaviour_never_moves_a_customer_to_another_tier():
    models, now, labels = fitted(5, tiers=3)
    value = models.predict(models.matrix.transform(now))[:, 0]  # next_spend, the only outcome of value
    reach = pd.Series(value).groupby(labels).agg(["min", "max"]).sort_values("min")
    borders = reach["max"].to_numpy()[[0, 2]], reach["min"].to_numpy()[[1, 3]]  # one segment, two, two
    assert (borders[0] < borders[1] + 1e-3).all()


@pytest.mark.parametrize("cut", [{"k": 4, "value_weight": 0.7}, {"k": 5, "tiers": 3}])
def test_the_evidence_is_on_the_very_segments_that_are_delivered(cut: dict):
    models, now, labels = fitted(**cut)
    matrix, recipe = matrix_of(now, models), Recipe(PREDICTIVE, cut, labels)
    found = weigh(matrix, {"one": recipe}, draws=10)
    assert found["stability"].segments["customers"].to_list() == np.bincount(labels).tolist()
    assert found["stability"].candidates["stability_jaccard_min"].iloc[0] > 0.6
    assert len(found["separation"].pairs) == cut["k"] * (cut["k"] - 1) / 2
    rules = resample_rules(PREDICTIVE.sample(matrix), recipe, seed=0, resamples=2)
    X = models.matrix.transform(now)
    assert min((rule.assign(X)[0] == labels).mean() for rule in rules) > 0.8
    assert not np.allclose(*(rule.arrays["coefficients"] for rule in rules))  # each resample learns anew


def test_extreme_customers_make_no_kind_of_their_own():
    value, kind = np.repeat([0.0, 100.0, 200.0], 60), np.tile([0.0, 0.1, 1.0, 1.1], 45)
    kind[[70, 130]] = 50.0
    centres = cut_predictions(np.column_stack([value, kind]), seed=0, k=5, tiers=3)
    assert centres[1:, 1].max() < 1.1


def test_layers_need_both_value_and_behaviour():
    models, _, _ = fitted()
    assert [one.candidate_id for one in grid(models)][-2:] == ["layers-5", "layers-7"]
    only_spend = shop(0)._replace(outcomes=shop(0).outcomes[["next_spend"]])
    alone = learn_outcomes([only_spend], KINDS, shop(1).features, seed=0)
    assert not [one for one in grid(alone) if "tiers" in one.params]


def test_an_outcome_of_chance_is_not_predictable_and_gives_no_candidates():
    chance = shop(0)._replace(
        outcomes=shop(0).outcomes[["next_spend"]].sample(frac=1, random_state=0).set_axis(shop(0).features.index)
    )
    models = learn_outcomes([chance], KINDS, shop(1).features, seed=0)
    assert models.outcomes["explained"]["next_spend"] < 0.02
    assert grid(models) == []


def test_what_those_with_an_outcome_hardly_vary_in_does_not_decide_about_the_others(monkeypatch):
    """Half of the customers have the outcome; but for one, none of them has what all of the others have."""
    draw = np.random.default_rng(0)
    has = np.r_[np.zeros(300), np.ones(300)]
    has[0] = 1.0
    Y = np.where(np.arange(600) < 300, draw.normal(size=600), np.nan)
    Y[0] = 6.0
    about = pd.DataFrame({"group": "behaviour", "loss": "binary"}, index=["answered"])
    X = np.column_stack([has, draw.normal(size=600)])
    monkeypatch.setattr("segkit.clustering.outcome_models.STRENGTHS", np.array([10.0]))
    knots, coefficients, offset, _ = learn_ramps(X, Y[:, None], np.ones(600), about)
    assert np.abs(predict_outcomes(X, knots, coefficients) - offset).max() < 2


def test_learning_again_from_rows_counted_is_learning_from_rows_repeated(monkeypatch):
    models = learn_outcomes([shop(0)], KINDS, shop(1).features, seed=0)
    learned, strength = models.learned, models.outcomes["strength"].iloc[0]
    models = replace(models, outcomes=models.outcomes.assign(strength=strength))
    monkeypatch.setattr("segkit.clustering.outcome_models.STRENGTHS", np.array([strength]))
    counts = np.random.default_rng(0).poisson(1, len(learned.X))
    parts = [each.repeat(counts, axis=0) for each in (learned.X, learned.Y, learned.credible)]
    knots, coefficients, _, _ = learn_ramps(*parts, models.outcomes)
    found = learn_again(models, counts)
    np.testing.assert_array_equal(found[0], knots)
    np.testing.assert_allclose(found[1], coefficients, rtol=1e-3, atol=1e-5)


def test_learning_does_not_depend_on_the_order_of_rows():
    period, now = shop(0), shop(1).features
    shuffled = period._replace(features=period.features.sample(frac=1, random_state=0))
    one, other = (learn_outcomes([each], KINDS, now, seed=0) for each in (period, shuffled))
    np.testing.assert_array_equal(one.coefficients, other.coefficients)


def test_predictions_are_flat_beyond_the_last_knot():
    knots, rises = np.array([[0.0], [1.0]]), np.array([[2.0]])
    assert predict_outcomes(np.array([[-9.0], [0.25], [9.0]]), knots, rises).ravel().tolist() == [0, 0.5, 2]


@pytest.mark.parametrize("cut", [{"k": 4, "value_weight": 1.0}, {"k": 5, "tiers": 3}])
def test_the_frozen_rule_says_the_same_after_a_round_trip_and_row_by_row(tmp_path: Path, cut: dict):
    models, now, labels = fitted(**cut)
    freeze_candidate(matrix_of(now, models), Candidate("one", "predictive", cut)).save(tmp_path)
    loaded = Segmentation.load(tmp_path)
    whole = assign_customers(loaded, now)["segment_id"]
    assert (whole == [f"S{label + 1}" for label in labels]).all()
    alone = [assign_customers(loaded, now.iloc[[row]])["segment_id"].iloc[0] for row in range(0, 600, 40)]
    assert alone == whole.iloc[::40].to_list()


def test_tuning_keeps_what_the_rfm_map_tells():
    models, _, _ = fitted()
    free = tune_value_weight(models, seed=0)
    assert free["tuned"].sum() == 1
    thirds = (pd.Series(models.learned.X[:, 0]).rank(pct=True) * 2.99).astype(int).to_numpy()
    bound = tune_value_weight(replace(models, learned=replace(models.learned, rfm=thirds)), seed=0, judge_value=0.0)
    taken = bound[bound["tuned"]].iloc[0]
    assert bound["value"].min() < taken["least_value"] <= taken["value"] < bound["value"].max()


@pytest.mark.parametrize("origins", [1, 2])
def test_the_weight_is_tuned_on_rows_that_the_models_did_not_learn_on(monkeypatch, origins: int):
    models = learn_outcomes([shop(0), shop(2)][:origins], KINDS, shop(1).features, seed=0)
    learn, predict, seen, asked = segments.learn_ramps, segments.predict_outcomes, [], []
    monkeypatch.setattr(segments, "learn_ramps", lambda X, *more: seen.append(X) or learn(X, *more))
    monkeypatch.setattr(segments, "predict_outcomes", lambda X, *more: asked.append(X) or predict(X, *more))
    tune_value_weight(models, seed=0)
    assert sum(map(len, asked)) == 600  # everybody at the latest origin, once
    for one, other in zip(seen, asked, strict=True):
        assert not set(map(tuple, one)) & set(map(tuple, other))


def planted_future(value_weight: float = 1.0) -> Future:
    """What `look_back` would make of two shops, of which one is a horizon ago."""
    then = shop(1)
    models = learn_outcomes([shop(0)], KINDS, then.features, seed=0)
    matrix = matrix_of(then.features, replace(models, value_weight=value_weight))
    ends = date(2020, 7, 28), date(2020, 10, 26)
    return Future("", matrix, then.outcomes, KINDS, then.outcomes, *ends, len(then.features))


def test_an_outcome_is_told_less_by_segments_that_did_not_see_it():
    future = planted_future()
    table = {"candidate_id": ["predictive-6"], "family": "predictive", "params": '{"k": 6}'}
    one = Candidates(empty_table(pd.DataFrame(table)), pd.DataFrame(), pd.DataFrame(), FAMILIES, (6,), None)
    unseen = unseen_outcomes(replace(one, proposed="predictive-6"), future)
    assert (unseen["skill"] > 0.5).all()
    assert (unseen["unseen_high"] < 0.1).all()  # the two have nothing to do with each other


def test_what_is_judged_takes_the_weight_of_value_that_was_known_then():
    today = [Candidate(f"predictive-{w:g}", "predictive", {"k": 2, "value_weight": w}) for w in (9.0, 0.1)]
    labels = refit_candidates(planted_future(0.1), today, FAMILIES)
    assert (labels["predictive-9"] == labels["predictive-0.1"]).all()
    assert explained(labels["predictive-9"].to_numpy(), shop(1).features["deals"]) > 0.6


CARD = """
title = "Planted"
currency = "EUR"
[orders]
source = "orders.csv"
columns = {{ customer_id = "c", order_id = "o", ordered_at = "t", product_id = "p", quantity = "q", amount = "a" }}
"""


def write_shop(folder: Path, days: int, seed: int = 0, future: bool = False) -> Path:
    """Write 120 customers, half of them frequent, over `days` days from 2020-01-01; with `future`, all swap later."""
    draw, rows = np.random.default_rng(seed), []
    for customer in range(120):
        for day in np.flatnonzero(draw.random(days) < (0.2 if customer % 2 else 0.04)):
            moment = pd.Timestamp("2020-01-01") + pd.Timedelta(days=int(day), hours=int(draw.integers(8, 20)))
            rows.append((customer, f"{customer}-{day}", moment, "x", 1, round(float(draw.gamma(2, 10)), 2)))
    if future:
        last = pd.Timestamp("2020-01-01") + pd.Timedelta(days=days)
        rows += [
            (c, f"{c}-f{n}", last + pd.Timedelta(days=n), "x", 1, 999.0) for c in range(0, 120, 2) for n in range(40)
        ]
    folder.mkdir(exist_ok=True)
    pd.DataFrame(rows, columns=list("cotpqa")).to_csv(folder / "orders.csv", index=False)
    (folder / "planted.toml").write_text(CARD.format())
    return folder / "planted.toml"


def judged(card: Path, as_of: date):
    with read_orders(read_card(card)) as orders:
        now = customer_features(orders, as_of)
        models = learn_outcomes_before(orders, now)
        matrix = prepare(now, models=models)
        future = look_back(orders, matrix)
    return future, models, judge(compare(matrix, (FAMILIES[0], PREDICTIVE), [2]), future).judgement


@pytest.fixture(scope="module")
def two_shops(tmp_path_factory):
    folder, as_of = tmp_path_factory.mktemp("shops"), date(2020, 10, 26)  # day 300
    return [judged(write_shop(folder / name, 300, future=name == "future"), as_of) for name in ("plain", "future")]


def test_a_kept_model_is_judged_itself_by_days_that_it_had_not_seen(tmp_path):
    card, as_of, fitted_on = write_shop(tmp_path, 300), date(2020, 10, 26), date(2020, 7, 28)
    with read_orders(read_card(card)) as orders:
        then = customer_features(orders, fitted_on)
        model = freeze_candidate(prepare(then), Candidate("kmeans-2", "kmeans", {"k": 2}))
        found = judge_kept(orders, model, then, as_of)
        assert judge_kept(orders, model, then, as_of - timedelta(days=1)) is None  # it had seen the first of the days
    assert found.figures().set_index("candidate_id")["forward_value"]["kmeans-2"] > 0.8
    assert "The model of 2020-07-28 was held against what came" in found.note
    assert set(found.shares.candidates) == {"rfm-10", "tiers-5", "kmeans-2", "rfm-scores-2", "behaviour-2"}
    assert found.recipes["agreement"].isna().all()  # no recipe was fitted again


def test_what_comes_after_as_of_changes_nothing(two_shops):
    (past, models, plain), (same_past, same_models, judged_again) = two_shops
    pd.testing.assert_frame_equal(past.outcomes, same_past.outcomes)
    pd.testing.assert_frame_equal(plain.figures(), judged_again.figures())
    np.testing.assert_array_equal(models.coefficients, same_models.coefficients)


def test_what_only_the_future_could_tell_is_told_by_nobody(tmp_path):
    """All order alike until a coin decides, on the day that is judged from, who orders on and who hardly does."""
    draw, first = np.random.default_rng(0), pd.Timestamp("2020-01-01")
    days = [np.flatnonzero(draw.random(300) < np.r_[[0.1] * 210, [rate] * 90]) for rate in [0.2, 0.02] * 60]
    rows = [(c, f"{c}-{d}", first + pd.Timedelta(days=int(d)), "x", 1, 9.0) for c, own in enumerate(days) for d in own]
    card = write_shop(tmp_path, 1)
    pd.DataFrame(rows, columns=list("cotpqa")).to_csv(tmp_path / "orders.csv", index=False)
    past, _, judgement = judged(card, date(2020, 10, 26))
    assert (
        past.outcomes["next_order_count"].var() > 2 * past.outcomes["next_order_count"].mean()
    )  # there is much to tell
    assert not judgement.ceilings["knowable"].any()
    assert judgement.figures()["forward_share"].isna().all()


def test_customers_who_go_on_as_they_did_can_be_told_apart(two_shops):
    figures = two_shops[0][2].figures("all").set_index("candidate_id")
    assert (figures["forward_value"][["kmeans-2", "predictive-2"]] > 0.7).all()
    assert figures["forward_behaviour"].isna().all()  # these orders have no shares to be judged by


def test_outcomes_of_a_ready_table_are_judged_directly():
    period = shop(3)
    own = period.outcomes.assign(likes=np.where(period.features["deals"] > 0.4, "yes", "no"))[["likes"]]
    matrix = prepare(features_from(period.features, ABOUT))
    ready = ReadyRows(period.features, {}, {}, own, {}, pd.DataFrame(), pd.DataFrame(), {})
    labels = pd.DataFrame({"deals": period.features["deals"].rank(pct=True).gt(0.5).astype(int)})
    labels["chance"] = np.arange(600) % 2
    table = empty_table(pd.DataFrame({"candidate_id": list(labels), "family": "kmeans", "params": "{}"}))
    made = Candidates(table, labels, pd.DataFrame(), (*BASELINES, *FAMILIES), (2,), None)
    judgement = judge(made, look_back(ready, matrix)).judgement
    told = judgement.figures("all").set_index("candidate_id")["forward_behaviour"]
    assert told["deals"] > 0.8 > 0.1 > told["chance"]


def test_the_ceiling_is_at_least_that_of_its_models_and_sees_nothing_where_there_is_nothing():
    period, draw = shop(4), np.random.default_rng(4)
    chance = pd.Series(draw.random(600), index=period.features.index, name="chance")
    outcomes = period.outcomes.assign(chance=chance.sample(frac=1, random_state=0).to_numpy())
    kinds = KINDS.reindex([*KINDS.index, "chance"]).fillna({"group": "behaviour", "loss": "share"})
    ceiling = best_ceiling(period.features, fit_matrix(period.features, ABOUT), outcomes, kinds, seed=0)
    told = {name: np.corrcoef(ceiling[name], outcomes[name])[0, 1] ** 2 for name in outcomes}
    assert told["next_deals"] > 0.9  # a straight line, which lines see and boosting only comes near
    assert told["chance"] < 0.02
    skill = forward_skill(pd.DataFrame({"one": 0}, index=outcomes.index), outcomes, kinds, ceiling)
    assert skill.ceilings["knowable"].to_dict() == {"next_spend": True, "next_deals": True, "chance": False}


def test_the_ceilings_model_of_a_fold_is_picked_by_the_other_folds(monkeypatch):
    """Lines err by 0.1; boosting by 0.11, and in the first fold by nothing, which may not count there."""
    customers = pd.Index([f"c{number:04}" for number in range(2_000)], name="customer_id")
    first = assign_folds(customers, 0) == 0
    came = pd.DataFrame({"next_deals": np.random.default_rng(0).random(2_000)}, index=customers)
    features = pd.DataFrame({"came": came["next_deals"], "first": first.astype(float)})
    monkeypatch.setattr(ceilings, "_boosted", lambda X, y, asked, *more: asked[:, 0] + 0.11 * (asked[:, 1] == 0))
    monkeypatch.setattr(ceilings, "_lined", lambda X, y, credible, asked, *more: asked[:, 0] + 0.1)
    as_it_is = SimpleNamespace(transform=lambda table: table.to_numpy())
    error = best_ceiling(features, as_it_is, came, KINDS.loc[["next_deals"]], seed=0) - came
    assert error["next_deals"][first].to_numpy() == pytest.approx(0.1)  # by lines
    assert (error["next_deals"][~first] > 0.1001).all()  # by the mean of both, which is better where the first counts


def test_without_history_nothing_is_judged_and_the_note_says_from_when(tmp_path):
    future, models, judgement = judged(write_shop(tmp_path, 120), date(2020, 4, 29))
    assert not future.known
    assert models is None
    assert judgement.shares is None
    assert "less than 90 days of orders; from 2020-06 on it can." in judgement.note
