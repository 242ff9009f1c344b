"""The matrix: what each feature becomes, what it weighs, and that nothing but the customer decides a row."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segkit.preprocessing.matrix import Matrix
from segkit.preprocessing.prepare import features_from, fit_matrix
from segkit.preprocessing.transforms import soft_bound
from segkit.runtime.errors import InputError

KINDS = {
    "spend": ("value", "money"),
    "largest_order_spend": ("value", "money"),
    "order_count": ("lifecycle", "count"),
    "days_since_last_order": ("lifecycle", "days"),
    "mean_gap_days": ("rhythm", "days"),
    "coupon_share": ("price", "share"),
    "weekend_order_share": ("rhythm", "share"),
    "category_tea_share": ("taste", "share"),
    "category_mugs_share": ("taste", "share"),
    "category_other_share": ("taste", "share"),
    "country": ("channel", "category"),
    "age": ("who", "category"),
}


def _shop(customers=400, seed=0):
    rng = np.random.default_rng(seed)
    orders = rng.geometric(0.3, customers)
    spend = orders * rng.lognormal(3, 1, customers)
    tastes = rng.dirichlet([1, 0.3, 0.5], customers)
    tastes[:80] = [1, 0, 0]
    features = pd.DataFrame(
        {
            "spend": spend - 40 * (rng.random(customers) < 0.03),
            "largest_order_spend": spend / orders**0.5 * rng.uniform(0.8, 1, customers),
            "order_count": orders,
            "days_since_last_order": rng.integers(0, 365, customers),
            "mean_gap_days": np.where(orders > 1, rng.exponential(30, customers), np.nan),
            "coupon_share": np.where(rng.random(customers) < 0.6, 0, rng.beta(1, 8, customers)),
            "weekend_order_share": rng.binomial(orders, 0.3) / orders,
            **dict(zip(["category_tea_share", "category_mugs_share", "category_other_share"], tastes.T, strict=True)),
            "country": rng.choice(["AT", "DE", "LI", None], customers, p=[0.6, 0.34, 0.01, 0.05]),
            "age": np.where(rng.random(customers) < 0.7, None, "35-44"),
        },
        index=pd.Index([f"c{number:04d}" for number in range(customers)], name="customer_id"),
    )
    return features, _dictionary(KINDS)


def _dictionary(kinds):
    rows = [
        (feature, family, kind, "category" if feature.startswith("category_") else "")
        for feature, (family, kind) in kinds.items()
    ]
    return pd.DataFrame(rows, columns=["feature", "family", "kind", "whole"]).set_index("feature")


def _column(matrix, X, column):
    return X[:, list(matrix.columns["column"]).index(column)]


def test_a_small_matrix_worked_out_by_hand():
    features = pd.DataFrame({"age": [20.0, 30.0, 40.0, 50.0, 60.0], "member": [1, 0, 1, 0, 0]}, index=list("abcde"))
    matrix = fit_matrix(
        features, features_from(features, {"age": "number", "member": "binary"}).dictionary, {"given": 1.96}
    )
    age = np.array([-2.0, -1, 0, 1, 2])  # about the median 40, in units of 10 years
    member = np.array([1, 0, 1, 0, 0])
    says_age, says_member = 1, 4 * 0.6 * 0.4  # the even coin and the 3 to 2 coin share the weight: 1 and .96
    assert (says_age, round(says_member, 2)) == (1, 0.96)
    np.testing.assert_allclose(matrix.transform(features)[:, 0], age / age.std(), rtol=1e-12)
    expected = (member - 0.4) / member.std() * 0.96**0.5
    np.testing.assert_allclose(matrix.transform(features)[:, 1], expected, rtol=1e-12)


def test_every_kind_gets_its_transform():
    matrix = fit_matrix(*_shop())
    transforms = matrix.columns.set_index("column")["transform"]
    assert transforms["spend"] == transforms["order_count"] == transforms["mean_gap_days"] == "log1p"
    assert transforms["days_since_last_order"] == "as is"  # uniform: a logarithm would skew it
    assert transforms["coupon_share"] == transforms["weekend_order_share"] == "arcsine root"
    assert set(transforms.filter(like="category_")) == {"square root"}
    assert list(transforms.filter(like="country=").index) == [
        "country=AT",
        "country=DE",
        "country=unknown",
        "country=other",
    ]


def test_each_family_contributes_its_weight():
    features, dictionary = _shop()
    matrix = fit_matrix(features, dictionary, {"value": 2.0})
    variances = matrix.columns.groupby("family")["variance"].sum()
    assert variances["value"] == pytest.approx(2)
    assert variances["lifecycle"] == pytest.approx(1)
    measured = pd.Series(matrix.transform(features).var(axis=0)).groupby(matrix.columns["family"].to_numpy()).sum()
    np.testing.assert_allclose(measured, variances, rtol=1e-9)


def test_ten_shares_of_a_whole_weigh_as_much_as_one_feature_beside_them():
    rng = np.random.default_rng(1)
    features = (
        pd.DataFrame(rng.dirichlet([1] * 10, 300)).add_prefix("category_").set_index(pd.RangeIndex(300).astype(str))
    )
    features["entropy"] = rng.normal(size=300)
    dictionary = _dictionary({**dict.fromkeys(features, ("taste", "share")), "entropy": ("taste", "number")})
    columns = fit_matrix(features, dictionary).columns.set_index("column")["variance"]
    assert columns["entropy"] == pytest.approx(0.5)
    assert columns.drop("entropy").sum() == pytest.approx(0.5)


def test_a_family_of_one_rare_answer_weighs_less_than_an_even_one():
    features, dictionary = _shop()
    features["country"] = np.where(np.arange(len(features)) % 10 == 0, "AT", "DE")
    matrix = fit_matrix(features, dictionary, {"channel": 1.0})
    assert matrix.columns.query("family == 'channel'")["variance"].sum() == pytest.approx(4 * 0.9 * 0.1)


def test_left_out_features_are_listed_with_the_reason():
    features, dictionary = _shop()
    features["store_count"], features["spend_in_cents"] = 1, features["spend"].abs() * 100
    features.iloc[:10, features.columns.get_loc("store_count")] = 2
    features["late_share"] = np.where(np.arange(len(features)) < 40, 0.5, np.nan)
    more = {"store_count": ("channel", "count"), "spend_in_cents": ("value", "money"), "late_share": ("price", "share")}
    dropped = fit_matrix(features, _dictionary({**KINDS, **more})).dropped.set_index("feature")["why"]
    assert dropped["store_count"] == "near-constant: 97.5% of customers have 1"
    assert dropped["spend_in_cents"].startswith("repeats spend (|r| = ")
    assert dropped["late_share"] == "known for 10% of customers only"
    assert dropped["age"].startswith("family who has weight 0")


def test_one_order_customers_stand_at_the_median_gap_not_at_zero():
    features, dictionary = _shop()
    matrix = fit_matrix(features, dictionary)
    gaps = _column(matrix, matrix.transform(features), "mean_gap_days")
    assert set(gaps[features["mean_gap_days"].isna()]) == {0.0}
    known = gaps[features["mean_gap_days"].notna()]
    assert abs(np.median(known)) < 1e-3
    assert (known < 0).any()


def test_whales_stay_farthest_but_do_not_stretch_the_scale():
    features, dictionary = _shop()
    features.iloc[:2, 0] = [5e4, 5e6]
    X = fit_matrix(features, dictionary).transform(features)
    spend = X[:, 0] / X[2:, 0].std()
    assert spend.argmax() == 1
    assert spend[1] > spend[0] > spend[2:].max()
    assert spend[1] < 7  # 5.6 orders of magnitude above the median, not 5 million of them


def test_net_spend_below_zero_keeps_its_order():
    features, dictionary = _shop()
    features.iloc[:3, 0] = [-90.0, -5.0, 0.0]
    matrix = fit_matrix(features, dictionary)
    spend = _column(matrix, matrix.transform(features), "spend")
    assert (np.diff(spend[np.argsort(features["spend"].to_numpy())]) >= 0).all()
    assert spend[0] < spend[1] < spend[2]


@given(st.lists(st.floats(-1e9, 1e9), min_size=2, max_size=20))
def test_the_soft_bound_keeps_order_and_is_odd(values):
    z = np.sort(np.array(values))
    assert (np.diff(soft_bound(z)) >= 0).all()
    np.testing.assert_array_equal(soft_bound(-z), -soft_bound(z))


def test_order_of_rows_and_the_other_customers_change_nothing():
    features, dictionary = _shop()
    matrix = fit_matrix(features, dictionary)
    shuffled = features.sample(frac=1, random_state=1)
    assert fit_matrix(shuffled, dictionary) == matrix
    for rows in (matrix.transform, lambda some: matrix.dequantised(some, seed=3)):
        whole = pd.DataFrame(rows(features), index=features.index)
        np.testing.assert_array_equal(rows(shuffled), whole.loc[shuffled.index])
        np.testing.assert_array_equal(rows(features.iloc[[7]]), whole.iloc[[7]])


def test_renamed_customers_get_the_same_matrix_and_rows():
    features, dictionary = _shop()
    renamed = features.set_axis(features.index.str.replace("c", "x"), axis=0)
    matrix = fit_matrix(features, dictionary)
    assert fit_matrix(renamed, dictionary) == matrix
    np.testing.assert_array_equal(matrix.transform(renamed), matrix.transform(features))


def test_equal_customers_get_equal_rows_and_different_noise():
    features, dictionary = _shop()
    twins = pd.concat([features, features.iloc[[0]].set_axis(["twin"])])
    matrix = fit_matrix(features, dictionary)
    X, noisy = matrix.transform(twins), matrix.dequantised(twins, seed=0)
    np.testing.assert_array_equal(X[0], X[-1])
    assert (noisy[0] != noisy[-1]).sum() >= len(X[0]) - 3  # spend and its largest order lie on no grid


def test_dequantised_values_share_no_atoms_and_stay_near():
    features, dictionary = _shop()
    matrix = fit_matrix(features, dictionary)
    X, noisy = matrix.transform(features), matrix.dequantised(features, seed=0)
    assert max(np.unique(X[:, place], return_counts=True)[1].max() for place in range(X.shape[1])) > 200
    assert max(np.unique(noisy[:, place], return_counts=True)[1].max() for place in range(X.shape[1])) == 1
    for column in ("order_count", "days_since_last_order", "coupon_share"):
        assert np.corrcoef(_column(matrix, X, column), _column(matrix, noisy, column))[0, 1] > 0.95


def test_counts_move_within_half_a_step_and_shares_of_orders_within_one_order():
    features, dictionary = _shop()
    matrix = fit_matrix(features, dictionary)
    columns = {column.column: column for column in matrix.fitted}
    assert columns["order_count"].steps.step == 1
    assert columns["weekend_order_share"].steps.divisor == "order_count"
    bare = replace(columns["order_count"], centre=0.0, scale=1.0, bounded=False, weight=1.0)
    moved = np.expm1(Matrix((bare,), ()).dequantised(features, seed=0)[:, 0])
    assert 0.4 < np.abs(moved - features["order_count"]).max() <= 0.5
    share = replace(columns["weekend_order_share"], centre=0.0, scale=1.0, bounded=False, weight=1.0)
    moved = np.sin(Matrix((share,), ()).dequantised(features, seed=0)[:, 0]) ** 2
    assert (np.abs(moved - features["weekend_order_share"]) * features["order_count"]).max() <= 0.5 + 1e-9


def test_noise_depends_on_the_seed():
    features, dictionary = _shop()
    matrix = fit_matrix(features, dictionary)
    assert (matrix.dequantised(features, seed=0) == matrix.dequantised(features, seed=0)).all()
    assert not (matrix.dequantised(features, seed=0)[:, 2] == matrix.dequantised(features, seed=1)[:, 2]).any()


def test_a_stored_matrix_is_the_same_matrix():
    features, dictionary = _shop()
    matrix = fit_matrix(features, dictionary)
    stored = Matrix.from_dict(json.loads(json.dumps(matrix.to_dict(), allow_nan=False)))
    assert stored == matrix
    np.testing.assert_array_equal(stored.transform(features), matrix.transform(features))


def test_a_new_country_counts_as_other_or_as_neutral():
    features, dictionary = _shop()
    matrix = fit_matrix(features, dictionary)
    new = features.iloc[:2].assign(country=["FR", "LI"])
    rows = matrix.transform(new)[:, matrix.columns["feature"] == "country"]
    np.testing.assert_array_equal(rows[0], rows[1])
    unpooled = fit_matrix(features.query("country != 'LI'"), dictionary)
    assert (unpooled.transform(new)[:, unpooled.columns["feature"] == "country"] == 0).all()


def test_codes_of_a_category_read_the_same_with_and_without_missing_ones():
    codes = pd.DataFrame({"plan": [1, 2] * 5}, index=list("abcdefghij"))
    matrix = fit_matrix(codes, features_from(codes, {"plan": "category"}).dictionary)
    with_missing = codes["plan"].where(codes.index != "a").to_frame()
    np.testing.assert_array_equal(matrix.transform(with_missing)[1:], matrix.transform(codes)[1:])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns="spend"), "features lack spend, which the matrix was fitted on"),
        (
            lambda f: f.assign(spend=np.inf),
            r"feature spend is infinite for 400 of 400 customers \(c0000, c0001, c0002\)",
        ),
        (lambda f: f.assign(spend="a lot"), "feature spend isn't a number for 400 of 400"),
        (lambda f: f.assign(coupon_share=35.0), "feature coupon_share is outside 0 to 1 .* divide percentages by 100"),
    ],
)
def test_new_customers_that_do_not_fit_are_refused(change, message):
    features, dictionary = _shop()
    matrix = fit_matrix(features, dictionary)
    with pytest.raises(InputError, match=message):
        matrix.transform(change(features))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"family_weights": {"tast": 1.0}}, "unknown family 'tast'; did you mean `taste`"),
        ({"family_weights": {"taste": -1.0}}, "weight -1.0: it must be 0 or more"),
        ({"dictionary": _dictionary({"spend": ("value", "monney")})}, "unknown kind 'monney'; did you mean `money`"),
        ({"dictionary": _dictionary({"spendd": ("value", "money")})}, "features lack spendd"),
        ({"features": pd.concat([_shop()[0]] * 2)}, "400 customers more than once"),
        ({"features": _shop()[0].assign(**_shop()[0].iloc[0].dropna())}, "no feature tells the customers apart: spend"),
    ],
)
def test_a_fit_that_cannot_be_is_refused(arguments, message):
    features, dictionary = _shop()
    with pytest.raises(InputError, match=message):
        fit_matrix(**{"features": features, "dictionary": dictionary, **arguments})


def test_absent_features_of_the_dictionary_are_passed_over():
    features, dictionary = _shop()
    listed = dictionary.assign(present=dictionary.index != "spend")
    assert "spend" not in set(fit_matrix(features.drop(columns="spend"), listed).columns["feature"])


def test_every_feature_of_a_ready_table_weighs_the_same():
    rng = np.random.default_rng(0)
    survey = pd.DataFrame(rng.choice([1, 0], (200, 4)), columns=["yummy", "cheap", "spicy", "fast"])
    survey = survey.assign(visits=rng.integers(0, 7, 200), city=rng.choice(["Graz", "Linz", "Wien"], 200))
    survey.index = survey.index.astype(str)
    kinds = {**dict.fromkeys(survey, "binary"), "visits": "count", "city": "category"}
    variances = fit_matrix(survey, features_from(survey, kinds).dictionary).columns.groupby("feature")["variance"].sum()
    np.testing.assert_allclose(variances, 1 / 6, rtol=0.1)
    assert variances.sum() == pytest.approx(1)
