"""What segments bring, whether they are targets, what could be tried."""

import re

import matplotlib
import numpy as np
import pandas as pd
import pytest

from segkit.plots.style import use_style
from segkit.plots.worth import plot_kpis, plot_targets
from segkit.reporting.sentences import headline
from segkit.targeting.action_list import list_actions, say_actions, tell_actions
from segkit.targeting.criteria import REACHED, judge_targets, place_targets
from segkit.targeting.handover.audience import reachable_customers
from segkit.targeting.kpis import KPIS, segment_kpis
from segkit.targeting.levers import LEVERS, Lever, customers_per_arm, rank_levers
from segkit.targeting.target_tables import kpi_table

WEIGHTS = dict.fromkeys(
    ("weigh_revenue", "weigh_retention", "weigh_response", "weigh_confidence", "weigh_rule", "weigh_reach"), 0.5
)


@pytest.fixture
def shop():
    """Twenty customers by hand: S1 spends 100 each at a tenth off and came lately, S2 spends 10 and stayed away."""
    table = {
        "spend": [100.0] * 10 + [10.0] * 10,
        "order_count": [5] * 10 + [1] * 10,
        "mean_order_value": [20.0] * 10 + [10.0] * 10,
        "discount_share": [0.1] * 10 + [0.0] * 10,
        "days_since_last_order": [3] * 10 + [200] * 10,
        "tenure_days": [300] * 20,
        "campaigns_received_count": [4] * 10 + [2] * 9 + [0],
        "campaigns_answered_count": [1] * 10 + [0] * 10,
        "return_spend_share": [0.0] * 20,
    }
    return pd.DataFrame(table, index=pd.Index([f"c{i:02}" for i in range(20)], name="customer_id"))


@pytest.fixture
def halves(shop):
    return pd.Series(["S1"] * 10 + ["S2"] * 10, index=shop.index)


def figure(kpis, segment_id, kpi):
    return kpis.set_index(["segment_id", "kpi"]).loc[(segment_id, kpi), "figure"]


def test_key_figures_are_those_worked_out_by_hand(shop, halves):
    kpis = segment_kpis(shop, halves)
    by_hand = {"revenue": 1000, "revenue_per_customer": 100, "orders_per_customer": 5, "retention": 1}
    by_hand |= {
        "campaign_response": 0.25,
        "discount_cost": 10 * (100 / 0.9 - 100),
        "discount_rate": 0.1,
        "return_rate": 0,
    }
    for kpi, expected in by_hand.items():
        assert figure(kpis, "S1", kpi) == pytest.approx(expected)
    assert figure(kpis, "S2", "retention") == 0


def test_revenue_of_the_segments_adds_up_to_all_revenue(shop, halves):
    kpis = segment_kpis(shop, halves)
    assert kpis.loc[kpis["kpi"] == "revenue", "figure"].sum() == shop["spend"].sum()


def test_nothing_is_said_of_fewer_than_ten_customers(shop, halves):
    kpis = segment_kpis(shop, halves)
    assert np.isnan(figure(kpis, "S2", "campaign_response"))  # nine were sent one


def test_the_reports_table_bounds_a_retention_of_few_and_has_no_returns_where_nobody_returned_anything(shop, halves):
    shop = pd.concat([shop, shop.set_axis([f"d{i:02}" for i in range(20)])])
    halves = pd.concat([halves, halves.set_axis(shop.index[20:])])
    segments = pd.DataFrame({"segment_id": ["S1", "S2"], "segment": ["Loyal", "Away"]})
    table = kpi_table(segment_kpis(shop, halves), segments)
    assert "return_rate" not in table
    assert "retention" not in table  # nobody of twenty lost, nobody kept: a column of bounds says nothing
    mixed = shop.assign(days_since_last_order=[3, 200] * 20)
    assert kpi_table(segment_kpis(mixed, halves), segments)["retention"].tolist() == ["50.0 %", "50.0 %"]
    table = kpi_table(segment_kpis(shop.assign(return_spend_share=0.1), halves), segments)
    assert table["return_rate"].tolist() == pytest.approx([0.1, 0.1])


def test_a_shop_without_campaigns_or_discounts_has_no_such_figures(shop, halves):
    kpis = segment_kpis(shop[["spend", "order_count"]], halves)
    known = kpis.dropna(subset="figure")
    assert set(known["kpi"]) == {"revenue", "revenue_per_customer", "orders_per_customer"}
    assert set(rank_levers(kpis, halves.value_counts())["lever"]) == {"more per customer"}


def test_an_event_that_never_happened_still_has_an_upper_limit(shop, halves):
    kpis = segment_kpis(shop, halves).set_index(["segment_id", "kpi"])
    assert kpis.loc[("S2", "retention"), "high"] > 0.2
    assert kpis.loc[("S1", "return_rate"), "high"] > 0.2


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    held = 0
    for seed in range(200):
        spend = np.random.default_rng(seed).gamma(2.0, 50.0, 400)
        features = pd.DataFrame({"spend": spend}, index=[f"c{i:03}" for i in range(400)])
        row = segment_kpis(features, pd.Series("S1", index=features.index)).set_index("kpi").loc["revenue_per_customer"]
        held += row["low"] <= 100 <= row["high"]
    assert 180 <= held <= 199


def test_shuffled_rows_and_renamed_customers_change_nothing(shop, halves):
    shuffled = shop.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(segment_kpis(shop, halves), segment_kpis(shuffled, halves))


def judged(shop, halves):
    assignments = pd.DataFrame({"segment_id": halves, "confidence": [0.9] * 10 + [0.4] * 10})
    kpis = segment_kpis(shop, halves)
    rules = pd.DataFrame({"segment_id": ["S1", "S2"], "rule_recall": [0.9, 0.6]})
    return judge_targets(assignments, kpis, rules), kpis


def test_the_better_segment_is_the_more_attractive_and_the_easier_to_serve(shop, halves):
    placed = place_targets(*judged(shop, halves), WEIGHTS).set_index("segment_id")
    assert placed.loc["S1", ["attractiveness", "ability"]].tolist() == [1.0, 1.0]
    assert placed.loc["S2", "attractiveness"] < 0.2
    assert (placed["attractiveness_low"] <= placed["attractiveness"]).all()


def test_customers_of_low_confidence_are_counted(shop, halves):
    table = judged(shop, halves)[0].set_index(["segment_id", "measure"])["figure"]
    assert table["S1", "low confidence"] == 0
    assert table["S2", "low confidence"] == 1


def test_who_can_be_reached_is_a_share_of_each_segment_with_its_interval(shop, halves):
    assignments = pd.DataFrame({"segment_id": halves, "confidence": 0.9})
    contacts = pd.DataFrame({"email": shop.index + "@x.org", "consent": ["yes"] * 8 + ["no"] * 12}, index=shop.index)
    reachable = reachable_customers(contacts, shop.index)
    rules = pd.DataFrame({"segment_id": ["S1", "S2"], "rule_recall": [0.9, 0.6]})
    table = judge_targets(assignments, segment_kpis(shop, halves), rules, reachable)
    table = table[table["measure"] == REACHED].set_index("segment_id")
    assert table["figure"].tolist() == [0.8, 0.0]
    assert table.loc["S2", "high"] > 0.2
    assert place_targets(
        table.reset_index().pipe(lambda own: pd.concat([own, sizes(halves)])), segment_kpis(shop, halves), WEIGHTS
    )["ability"].tolist() == [1.0, 0.0]


def sizes(halves):
    counts = halves.value_counts()
    return pd.DataFrame({"segment_id": counts.index, "measure": "customers", "figure": counts.to_numpy()})


def test_levers_are_ranked_by_what_is_at_stake_and_promise_no_effect(shop, halves):
    levers = rank_levers(segment_kpis(shop, halves), halves.value_counts())
    assert levers["at_stake"].dropna().is_monotonic_decreasing
    discounts = levers[levers["lever"] == "smaller discounts"]
    assert discounts["at_stake"].tolist() == [pytest.approx(10 * (100 / 0.9 - 100))]
    assert set(levers["effect"]) == {"unmeasured"}


@pytest.fixture
def actions(shop, halves):
    many = pd.concat([shop.set_axis([f"{name}{n}" for name in shop.index]) for n in range(60)])
    many["discount_share"] = np.where(np.arange(len(many)) % 2, 0.09, 0.11) * (many["spend"] > 50)
    segment_ids = pd.Series(np.where(many["spend"] > 50, "S1", "S2"), many.index)
    segments = pd.DataFrame({"segment_id": ["S1", "S2", "S0"], "segment": ["Deal hunters", "Away", "Unsegmented"]})
    segments = segments.assign(customers=[600, 600, 9], lever=["smaller discounts", "win back", ""], action="Try.")
    kpis = segment_kpis(many, segment_ids)
    return segments, rank_levers(kpis, segment_ids.value_counts()), kpis


def test_what_can_be_tested_and_touches_most_money_stands_first_with_the_money_of_its_own_idea(actions):
    listed = list_actions(*actions)
    assert listed["segment"].tolist() == ["Deal hunters", "Away"]  # S0 has no idea
    assert listed["can_test"].tolist() == [True, False]  # nobody of the others ever came again: nothing to compare
    said = say_actions(listed, "EUR").set_index("segment")
    assert said.loc["Deal hunters", "stake"].endswith("EUR of discounts")
    assert said.loc["Away", "stake"] == "6,000 EUR of those who stayed away"


def test_a_lever_of_ones_own_stands_beside_the_segment_in_which_it_touches_most_money(shop, halves, actions):
    own = Lever(
        "delivery", "retention", lambda kpis: tuple(kpis.loc["revenue", ["figure"] * 3]), "free delivery for {}"
    )
    segments, _, kpis = actions
    levers = rank_levers(kpis, segments.set_index("segment_id")["customers"], [*LEVERS, own])
    listed = list_actions(segments, levers, kpis, known=[*LEVERS, own])
    assert listed.loc[listed["lever"] == "delivery", "action"].tolist() == ["Try free delivery for Deal hunters."]
    assert len(listed) == 3
    told = tell_actions(listed.assign(can_test=True), 365)
    assert "Two of two segments have enough customers" in told


def test_a_test_is_made_of_customers_who_can_be_reached(actions):
    reached = pd.Series({"S1": 20, "S2": 4})
    said = say_actions(list_actions(*actions, reached), "EUR").set_index("segment")
    assert said["count"].to_dict() == {"Deal hunters": "20 of 600", "Away": "fewer than ten of 600"}
    assert said.loc["Deal hunters", "test"] == "too few"


def test_the_headline_says_what_to_do_with_whom_how_many_and_how_much_money(actions):
    told = headline(list_actions(*actions), actions[0], pd.DataFrame(), "EUR", 365)
    assert re.fullmatch(
        r"Start with smaller discounts for Deal hunters: 600 customers who got [\d,]+ EUR off in 365 days, "
        r"10 % of list prices \(all others 0 %\)\.",
        told,
    )


def test_the_size_of_a_test_is_the_textbook_one():
    assert customers_per_arm(0.1, np.sqrt(0.09)) == pytest.approx(2 * 7.849 * 0.09 / 0.01**2, rel=0.001)


def test_the_picture_names_its_axes(shop, halves):
    placed = place_targets(*judged(shop, halves), WEIGHTS).assign(segment=["Loyal", "Away"])
    ax = plot_targets(placed)
    assert "attractive" in ax.get_ylabel()
    assert "served" in ax.get_xlabel()
    names = [text.get_text().partition("\n")[0] for text in ax.texts]
    assert names == ["Loyal", "Away"]
    assert [text.xy[1] for text in ax.texts] == placed["attractiveness"].tolist()
    assert len(KPIS) == 8


def test_the_picture_of_key_figures_has_a_panel_for_each_that_is_known(shop, halves):
    kpis = segment_kpis(shop.drop(columns="return_spend_share"), halves)
    kpis = kpis.assign(segment=kpis["segment_id"])
    with matplotlib.rc_context():
        use_style()
        axes = plot_kpis(kpis, "EUR").axes
        panels = [ax.get_title(loc="left") for ax in axes]
    assert [ax.get_xlabel() for ax in axes[:2]] == ["EUR", ""]
    known = ["revenue per customer", "orders per customer", "retention", "campaign response", "discount rate"]
    assert panels == known
    assert [label.get_text() for label in plot_kpis(kpis).axes[0].get_yticklabels()] == ["S1", "S2"]
