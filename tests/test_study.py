"""A whole study of a small shop, and of a small survey: what reconciles, what is the same again, what is refused."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from segkit.reporting.results import describe_run, write_tables
from segkit.reporting.study.study_choosing import ChoosingSteps
from segkit.reporting.study.study_opening import CANDIDATES, open_study
from segkit.runtime.errors import InputError
from segkit.runtime.progress import use_plain_lines
from segkit.runtime.tables.files import describe_tables
from segkit.runtime.tables.schema import TABLES
from segkit.validation.forward.skill import HALVES, Shares

SMALL = {"max_segments": 4, "min_customers": 10, "bootstraps": 10, "seed": 1}
CARD = """
title = "A small shop"
currency = "EUR"
[orders]
source = "orders.csv"
[orders.columns]
customer_id = "customer"
order_id = "order"
ordered_at = "day"
product_id = "product"
quantity = "quantity"
amount = "amount"
category = "category"
"""
SURVEY = """
title = "A small survey"
[features]
source = "survey.csv"
id = "respondent"
outcomes = ["like"]
"""


def write_shop(folder):
    """Two kinds of shoppers over a year: a few who come every week for tea, many who come now and then for toys."""
    draw = np.random.default_rng(0)
    customers = np.repeat(np.arange(160), np.where(np.arange(160) < 50, 40, 6))
    often = customers < 50
    orders = pd.DataFrame({"customer": customers, "order": np.arange(len(customers))})
    orders["day"] = pd.Timestamp("2025-01-01") + pd.to_timedelta(draw.integers(0, 365, len(orders)), "D")
    orders["category"] = np.where(draw.random(len(orders)) < np.where(often, 0.8, 0.2), "tea", "toys")
    orders["product"] = orders["category"] + draw.integers(1, 5, len(orders)).astype(str)
    orders["quantity"] = 1
    orders["amount"] = draw.gamma(np.where(often, 8, 3)).round(2) + 0.01
    orders.to_csv(folder / "orders.csv", index=False)
    (folder / "shop.toml").write_text(CARD)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    write_shop(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("segkit.runtime.cache.CACHE", folder / "cache")
        study = open_study(folder / "shop.toml", month="2025-12", **SMALL)
        study.compute()
        yield study


def test_customers_and_revenue_of_the_segments_reconcile_with_the_raw_file(shop):
    raw = pd.read_csv(shop.card.path.parent / "orders.csv")
    assert shop.segments["customers"].sum() == raw["customer"].nunique() == len(shop.assignments)
    assert shop.segments["revenue"].sum() == pytest.approx(raw["amount"].sum())
    assert shop.segments[["customer_share", "revenue_share"]].sum().tolist() == pytest.approx([1, 1])
    assert shop.ledger["amount"].sum() == pytest.approx(raw["amount"].sum())


def test_a_step_is_told_once_for_each_day_and_not_where_it_is_kept(capsys, monkeypatch, tmp_path):
    write_shop(tmp_path)
    monkeypatch.setattr("segkit.runtime.cache.CACHE", tmp_path / "cache")
    use_plain_lines()
    try:
        for month in ("2025-12", "2025-12", "2025-11"):
            assert len(open_study(tmp_path / "shop.toml", month=month, **SMALL).features)
    finally:
        use_plain_lines(False)
    told = [line.split("  ")[-1] for line in capsys.readouterr().out.splitlines()]
    ends = {"2025-12-31": 365, "2025-11-30": 334}
    steps = ("reading the orders", "building the features of {days} days")
    assert told == [f"{step} up to {day}".format(days=days) for day, days in ends.items() for step in steps]


def test_segments_are_numbered_by_revenue_and_named_once(shop):
    ids = shop.segments["segment_id"].tolist()
    assert ids == [f"S{place}" for place in range(1, len(ids) + 1)]
    assert shop.segments["revenue"].is_monotonic_decreasing
    assert shop.segments["segment"].is_unique
    assert shop.segmentation.names == dict(zip(ids, shop.segments["segment"], strict=True))


def test_exactly_one_candidate_is_chosen_and_every_loser_has_a_reason(shop):
    assert shop.candidates["chosen"].sum() == 1
    assert shop.candidates["reason"].str.len().gt(10).all()
    assert shop.verdict["chosen"] == shop.verdict["proposed"] == shop.chosen["candidate_id"]


def test_the_two_kinds_of_shoppers_end_in_different_segments(shop):
    often = shop.assignments.index.astype(int) < 50
    both = pd.crosstab(shop.assignments["segment_id"].to_numpy(), often)
    assert both.min(axis=1).sum() <= 5


def test_every_learned_candidate_within_the_limits_is_resampled_and_has_a_structure(shop):
    table = shop.candidates[~shop.candidates["family"].isin(["rfm", "tiers"])]
    resampled = table[table["stability_ari"].notna()]
    assert len(resampled) > 5
    assert set(table.loc[table["feasible"], "candidate_id"]) <= set(resampled["candidate_id"])
    assert set(resampled["candidate_id"]) == set(shop.stability["candidate_id"]) == set(shop.pairs["candidate_id"])
    assert resampled["structure"].notna().all()


def test_customers_flow_from_each_number_of_segments_into_the_next(shop):
    flow = shop.flow
    assert shop.chosen["candidate_id"] in {*flow["candidate_id"], *flow["next_candidate_id"]}
    assert (flow.groupby("candidate_id")["customers"].sum() == len(shop.labels)).all()
    named = shop.named_flow
    chosen = named[named["candidate_id"] == shop.chosen["candidate_id"]]
    assert set(chosen["segment"]) <= set(shop.segments["segment"])
    assert chosen["next_segment"].str.fullmatch(r"\d+ of \d+").all()


def test_who_reads_the_reason_of_the_choice_finds_every_candidate_that_it_names_in_the_table_beside_it(shop):
    other = open_study(shop.card.path, month="2025-12", choice="tiers-5", **SMALL)
    assert f"segkit proposed {shop.chosen['candidate_id']}." in other.chosen["reason"]
    assert other.shortlist["candidate_id"].tolist()[:2] == ["tiers-5", shop.chosen["candidate_id"]]
    assert other.shortlist["candidate_id"].is_unique


def test_the_analyst_overrules_with_a_rule_too(shop):
    other = open_study(shop.card.path, month="2025-12", choice="tiers-5", **SMALL)
    assert other.verdict["chosen"] == "tiers-5" != other.verdict["proposed"]
    assert "Chosen by the analyst; segkit proposed" in other.chosen["reason"]
    with pytest.raises(InputError, match="choice 'ward-' is no candidate; near: ward-"):
        _ = open_study(shop.card.path, month="2025-12", choice="ward-", **SMALL).candidates


def test_a_choice_that_will_not_be_tried_is_refused_before_anything_is(shop):
    assert {one.split("-")[0] for one in shop.candidates["candidate_id"]} <= {*CANDIDATES}
    with pytest.raises(InputError, match="choice 'kmeans5' is no candidate, such as kmeans-5; ids begin with rfm"):
        open_study(shop.card.path, month="2025-12", choice="kmeans5")


def test_candidates_compared_on_a_sample_end_in_segments_of_everybody(tmp_path, monkeypatch):
    write_shop(tmp_path)
    monkeypatch.setattr("segkit.runtime.cache.CACHE", tmp_path / "cache")
    monkeypatch.setattr("segkit.reporting.study.study_choosing.COMPARED", 120)
    study = open_study(tmp_path / "shop.toml", month="2025-12", choice="kmeans-2", **SMALL)
    assert set(study.candidates["sample_size"]) == {120}
    assert set(study.candidates["customers"]) == {160}
    assert len(study.labels) == 120
    assert study.assignments.index.equals(study.features.index)
    sizes = study.segments.set_index("segment_id")["customers"]
    assert sizes.sum() == 160
    ids = study.assignments.loc[study.labels.index, "segment_id"]
    assert pd.crosstab(ids, study.labels["kmeans-2"]).gt(0).sum().sum() == 2
    assert sorted(sizes) == [50, 110]
    compared = describe_run(study)["compared"]
    assert (compared["customers"], compared["sample_size"]) == (160, 120)
    shares = [(ids == "S1").mean() for ids in (study.assignments["segment_id"], ids)]
    assert compared["largest_share_difference"] == pytest.approx(abs(shares[0] - shares[1]), abs=1e-4)


def test_the_same_study_writes_the_same_bytes_and_describes_every_column(shop, tmp_path):
    again = open_study(shop.card.path, month="2025-12", **SMALL)
    for study, name in ((shop, "one"), (again, "two")):
        (tmp_path / name).mkdir()
        about = write_tables(study, tmp_path / name)
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert set(files) <= {f"{table}.parquet" for table in TABLES}
    assert all((tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes() for name in files)
    assert "as it came" not in describe_tables(tmp_path / "one", about).split("## quarantine")[0]
    assert describe_run(shop)["rows"]["in"] == describe_run(shop)["rows"]["kept"]


def test_a_month_before_the_data_is_refused_by_name(shop):
    with pytest.raises(InputError, match="no order lines up to 2024-11-30"):
        _ = open_study(shop.card.path, month="2024-11").features


def test_a_ready_table_of_customers_is_studied_without_orders(tmp_path, monkeypatch):
    monkeypatch.setattr("segkit.runtime.cache.CACHE", tmp_path / "cache")
    draw, taste = np.random.default_rng(0), np.repeat([0, 1, 2], 60)
    survey = pd.DataFrame({"respondent": np.arange(180), "age": draw.integers(18, 80, 180)})
    survey["spicy"], survey["cheap"] = taste * 4 + draw.normal(size=180), (taste == 1) * 6 + draw.normal(size=180)
    survey["like"] = (draw.random(180) < 0.2 + 0.3 * taste).astype(int)
    survey.to_csv(tmp_path / "survey.csv", index=False)
    (tmp_path / "survey.toml").write_text(SURVEY)
    study = open_study(tmp_path / "survey.toml", **SMALL)
    study.compute()
    assert "like" not in study.features
    assert study.segments["customers"].sum() == 180
    assert study.segments["revenue"].isna().all()
    assert len(study.trial.judgement.outcomes) > 0
    with pytest.raises(InputError, match="neither --month nor --as-of"):
        open_study(tmp_path / "survey.toml", month="2025-12")


def test_where_nothing_can_be_predicted_the_report_says_so_on_top_and_shows_segments_all_the_same(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("segkit.runtime.cache.CACHE", tmp_path / "cache")
    write_shop(tmp_path)
    draw, orders = np.random.default_rng(1), pd.read_csv(tmp_path / "orders.csv")
    orders["customer"] = draw.integers(0, 160, len(orders))  # who orders what is chance
    orders.to_csv(tmp_path / "orders.csv", index=False)
    study = open_study(tmp_path / "shop.toml", month="2025-12", **SMALL | {"max_segments": 3})
    study.compute()
    assert not study.verdict["segment_at_all"]
    assert study.warnings[0].startswith("Do not segment: nothing that these customers do next can be predicted.")
    assert "Nobody can predict" in study.forward_sentence
    assert study.segments["customers"].sum() == len(study.features)
    assert len(study.segments) == study.chosen["segments"]


def test_a_survey_whose_outcome_is_chance_is_advised_against_on_top(tmp_path, monkeypatch):
    monkeypatch.setattr("segkit.runtime.cache.CACHE", tmp_path / "cache")
    draw = np.random.default_rng(0)
    survey = pd.DataFrame({"respondent": np.arange(180), "like": draw.integers(0, 2, 180)})
    survey[["spicy", "cheap", "fast"]] = draw.normal(size=(180, 3))
    survey.to_csv(tmp_path / "survey.csv", index=False)
    (tmp_path / "survey.toml").write_text(SURVEY)
    study = open_study(tmp_path / "survey.toml", **SMALL | {"max_segments": 3})
    assert study.warnings[0].startswith("Do not segment: no segmentation comes back")
    assert study.chosen["reason"].startswith("No segmentation comes back from other customers; this is the steadiest")
    assert study.origins.empty
    assert study.unseen.empty


def test_the_peer_of_a_segmentation_that_leaves_customers_out_has_a_segment_more():
    class Judged(ChoosingSteps):
        chosen = pd.Series({"candidate_id": "hdbscan-50", "segments": 3})
        trial = SimpleNamespace(
            judgement=SimpleNamespace(
                shares=Shares(
                    ("hdbscan-50", "rfm-scores-3", "rfm-scores-4", "behaviour-4"),
                    dict.fromkeys(HALVES, np.full((9, 4, 3), 0.5)),
                ),
                recipes=pd.DataFrame({"candidate_id": ["hdbscan-50"], "segments": [4]}),
            )
        )

    assert list(object.__new__(Judged).equal_terms.index) == ["hdbscan-50", "rfm-scores-4", "behaviour-4"]
