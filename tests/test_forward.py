"""Forward skill: planted outcomes whose answer is known, and the choice made of it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from segkit.clustering.families import BASELINES, FAMILIES
from segkit.validation.candidates import Candidates, empty_table
from segkit.validation.forward.judgement import Judgement
from segkit.validation.forward.losses import assign_folds, deviances, segment_means
from segkit.validation.forward.skill import HALVES, Shares, forward_skill
from segkit.validation.selection import Limits, advise_segmenting, choose, forward_sentence, propose

KINDS = pd.DataFrame(
    {"group": ["value", "value", "behaviour"], "loss": ["count", "money", "share"]},
    index=["orders", "spend", "own_brand"],
)


def planted(customers: int = 2_000, seed: int = 0, effect: float = 1.0):
    """Outcomes that depend on the segment only (orders, own_brand), and labels: the segment, and noise."""
    draw = np.random.default_rng(seed)
    index = pd.Index([f"c{number:05}" for number in range(customers)], name="customer_id")
    segment = draw.integers(4, size=customers)
    mean = 1 + effect * segment
    share = 0.2 + 0.15 * effect * (segment % 2)
    known = pd.DataFrame({"orders": mean, "spend": 5.0, "own_brand": share}, index=index)
    outcomes = pd.DataFrame(
        {
            "orders": draw.poisson(mean).astype(float),
            "spend": draw.gamma(1, 5, customers),
            "own_brand": share + draw.normal(0, 0.1, customers),
        },
        index=index,
    )
    labels = pd.DataFrame({"true": segment, "noise": draw.integers(4, size=customers)}, index=index)
    return labels, outcomes, known


def test_segments_that_all_depends_on_tell_all_and_random_ones_nothing():
    labels, outcomes, known = planted()
    figures = forward_skill(labels, outcomes, KINDS, known).shares.figures().set_index("candidate_id")
    assert figures.loc["true", ["forward_value", "forward_behaviour"]].between(0.97, 1.03).all()
    assert figures.loc["noise", ["forward_value", "forward_behaviour"]].abs().max() < 0.02


def test_an_outcome_that_depends_on_nothing_is_one_that_nobody_can_predict():
    labels, outcomes, known = planted()
    skill = forward_skill(labels, outcomes, KINDS, known)
    assert skill.ceilings["knowable"].to_dict() == {"orders": True, "spend": False, "own_brand": True}


def test_where_nobody_can_predict_anything_figures_are_missing():
    labels, outcomes, known = planted(effect=0.0)
    skill = forward_skill(labels, outcomes, KINDS, known)
    assert skill.shares.figures()[["forward_value", "forward_behaviour", "forward_share"]].isna().all(axis=None)
    assert advice("true", skill.shares).text.startswith("do not segment: nothing")


def test_skill_does_not_depend_on_the_order_of_rows_or_on_the_labels_names():
    labels, outcomes, known = planted(600)
    one = forward_skill(labels, outcomes, KINDS, known).shares.figures()
    order = np.random.default_rng(1).permutation(len(labels))
    other = forward_skill(3 - labels.iloc[order], outcomes.iloc[order[::-1]], KINDS, known).shares.figures()
    pd.testing.assert_frame_equal(one, other, rtol=1e-9)


def test_missing_outcomes_take_no_part():
    labels, outcomes, known = planted(800)
    outcomes.loc[outcomes.index[:400], "own_brand"] = np.nan
    skill = forward_skill(labels, outcomes, KINDS, known)
    assert skill.ceilings.loc["own_brand", "customers"] == 400
    assert skill.none[:400, skill.names.index("own_brand")].sum() == 0


def test_customers_left_out_count_as_a_segment():
    labels, outcomes, known = planted()
    skill = forward_skill(labels - 1, outcomes, KINDS, known)
    assert skill.shares.figures()["forward_value"][0] > 0.97


def test_paired_differences_are_narrower_than_the_intervals_themselves():
    labels, outcomes, known = planted()
    labels["half"] = labels["true"] // 2
    labels["nearly"] = labels["half"].where(np.arange(len(labels)) % 50 > 0, 0)
    shares = forward_skill(labels, outcomes, KINDS, known).shares
    figures, gain = shares.figures().set_index("candidate_id"), shares.gains("half", "nearly").set_index("group")
    alone = figures["forward_value_high"]["half"] - figures["forward_value_low"]["half"]
    assert gain.loc["value", "low"] > 0
    assert gain.loc["value", "high"] - gain.loc["value", "low"] < alone


@pytest.mark.parametrize("loss", ["count", "money", "binary", "share"])
def test_the_mean_has_the_least_deviance(loss):
    actual = np.array([0.0, 0.0, 1.0, 1.0, 1.0])
    costs = [deviances(loss, actual, np.full(5, mean)).sum() for mean in (0.55, 0.6, 0.65)]
    assert costs[1] == min(costs)


def test_segment_means_come_from_other_folds_and_shrink_by_credibility():
    groups, folds = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 1, 1, 0, 1, 1])
    actual = np.array([99.0, 1.0, 1.0, 99.0, 5.0, 5.0])
    # Fold 0 sees 1, 1 and 5, 5: nothing varies within, the ratio is its least, 1: 2 of 3 parts are the segment's.
    assert segment_means(groups, folds, actual)[[0, 3]] == pytest.approx([3 - 2 * 2 / 3, 3 + 2 * 2 / 3])


def test_folds_follow_the_customer():
    folds = pd.Series(assign_folds(pd.Index(list("abcdefgh")), 0), index=list("abcdefgh"))
    assert (assign_folds(pd.Index(["h", "b"]), 0) == folds[["h", "b"]]).all()


def test_shares_come_back_from_their_table():
    shares = Shares(("a", "b-2, value x 2"), {half: np.random.default_rng(0).random((5, 2, 3)) for half in HALVES})
    back = Shares.from_table(shares.to_table())
    assert back.candidates == shares.candidates
    assert all((back.draws[half] == shares.draws[half]).all() for half in HALVES)


def candidates_of(labels: pd.DataFrame, shares: Shares | None = None, families=("kmeans",), **columns) -> Candidates:
    sizes = [labels[name].value_counts(normalize=True) for name in labels]
    table = {"candidate_id": list(labels), "segments": [len(size) for size in sizes], "noise_share": 0.0}
    table |= {"smallest_share": [size.min() for size in sizes], "family": (list(families) * 40)[: labels.shape[1]]}
    rows = empty_table(pd.DataFrame(table | {"params": "{}", "customers": len(labels)} | columns))
    judgement = replace(Judgement.open(""), shares=shares)
    return Candidates(rows, labels, pd.DataFrame(), (*BASELINES, *FAMILIES), (2,), None, judgement=judgement)


def advice(chosen: str, shares: Shares):
    """Return what is advised of a candidate that was chosen."""
    names = dict.fromkeys([chosen, *shares.candidates])
    labels = pd.DataFrame({name: np.arange(600) % 3 for name in names})
    families = ["rfm" if name == "rfm-10" else "tiers" if name == "tiers-5" else "kmeans" for name in names]
    return advise_segmenting(choose(candidates_of(labels, shares, families), Limits(), chosen))


def shares_of(**told: float) -> Shares:
    draws = np.array(list(told.values()))[None, :, None] + np.zeros((9, 1, 3))
    return Shares(tuple(told), dict.fromkeys(HALVES, draws))


LABELS = pd.DataFrame({"a3": np.arange(600) % 3, "b4": np.arange(600) % 4, "c5": np.arange(600) % 5})


def test_of_those_that_say_as_much_the_fewest_segments_win():
    best, reasons = propose(candidates_of(LABELS, shares_of(a3=0.3, b4=0.5, c5=0.51)), Limits())
    assert best == "b4"
    assert "Says less" in reasons["a3"]
    assert (
        "more than b4 on the half used to choose (51 % of what can be known, b4 50 %), with 5 segments for 4"
        in reasons["c5"]
    )
    assert "1.0 points less than c5 (51 %), where up to 2 count as equal" in reasons["b4"]


def test_of_those_that_say_as_much_natural_ones_come_first():
    shares, structure = shares_of(a3=0.5, b4=0.5, c5=0.5), ["reproducible", "constructive", "natural"]
    best, reasons = propose(candidates_of(LABELS, shares, structure=structure), Limits())
    assert best == "c5"
    assert "a cut through a continuum, which c5 is not" in reasons["a3"]


def test_without_a_future_the_largest_natural_one_then_the_most_stable_is_proposed():
    known = {"structure": ["natural", "natural", "constructive"], "stability_ari": [0.9, 0.8, 0.95]}
    assert propose(candidates_of(LABELS, **known), Limits())[0] == "b4"
    known["structure"] = "constructive"
    assert propose(candidates_of(LABELS, **known), Limits())[0] == "c5"
    best, reasons = propose(candidates_of(LABELS, **known, stability_jaccard_min=[0.9, 0.86, 0.8]), Limits())
    assert best == "b4"
    assert "comes back less surely (Jaccard index 0.80" in reasons["c5"]


def test_segments_that_tell_nothing_new_are_advised_against():
    told = shares_of(**{"kmeans-3": 0.4, "rfm-10": 0.5})
    assert advice("kmeans-3", told).text.startswith("use the RFM map")
    assert advice("kmeans-3", shares_of(**{"kmeans-3": 0.0, "rfm-10": 0.0})).text.startswith("do not segment")
    assert advice("kmeans-3", shares_of(**{"kmeans-3": 0.6, "rfm-10": 0.5})).segment_at_all


def test_intervals_hold_the_middle_95_of_100_samples_and_the_weight_is_that_of_value():
    draws = np.r_[0.5, np.linspace(0, 1, 1001)][:, None, None] + np.zeros((1, 1, 3))
    told = Shares(("a",), dict.fromkeys(HALVES, draws)).figures().iloc[0]
    assert told[["forward_value_low", "forward_value_high"]].tolist() == pytest.approx([0.025, 0.975])
    labels, outcomes, known = planted(800)
    for weight, group in ((1.0, "forward_value"), (0.0, "forward_behaviour")):
        told = forward_skill(labels, outcomes, KINDS, known, judge_value=weight).shares.figures()
        assert told["forward_share"].tolist() == pytest.approx(told[group].tolist())


def test_the_choice_is_made_on_one_half_and_all_that_is_said_of_it_comes_from_the_other():
    labels = LABELS.set_axis(["kmeans-3", "kmeans-4", "kmeans-5"], axis=1).assign(**{"rfm-10": LABELS["a3"]})
    told = {"choosing": [0.2, 0.6, 0.2, 0.1], "reporting": [0.6, 0.3, 0.6, 0.4], "all": [0.6, 0.3, 0.6, 0.4]}
    draws = {half: np.array(figures)[None, :, None] + np.zeros((9, 1, 3)) for half, figures in told.items()}
    shares = Shares(tuple(labels), draws)
    made = choose(candidates_of(labels, shares, ["kmeans"] * 3 + ["rfm"]), Limits())
    learned = made.table.set_index("candidate_id").loc["kmeans-4", "reason"]
    assert learned.startswith("On the half of the customers used to choose, it says 60 %")
    assert "On the other half it says 30 %: 30 % of how much, 30 % of what and how. It is the best of" in learned
    assert forward_sentence(choose(made, Limits(), "kmeans-4")).startswith("They tell 30 %")


def test_where_the_best_learned_one_says_no_more_than_the_rule_the_rule_is_taken():
    labels = LABELS.set_axis(["kmeans-3", "kmeans-4", "kmeans-5"], axis=1).assign(**{"rfm-10": LABELS["a3"]})
    shares = shares_of(**{"kmeans-3": 0.2, "kmeans-4": 0.5, "kmeans-5": 0.3, "rfm-10": 0.5})
    candidates = candidates_of(labels, shares, ["kmeans"] * 3 + ["rfm"])
    made = choose(candidates, Limits())
    assert (made.proposed, made.verdict["chosen"], made.verdict["segment_at_all"]) == ("rfm-10", "rfm-10", False)
    assert made.verdict["advice"] == "use the RFM map: learned segments say no more about the future"
    assert "The best of them is kmeans-4." in made.chosen["reason"]
    assert made.verdict["evidence"]["learned"] == "kmeans-4"
    assert made.verdict["why"] == made.verdict["advice"]
    assert choose(candidates, Limits(), "kmeans-4").verdict["chosen"] == "kmeans-4"  # an analyst's choice stands


def test_an_rfm_map_that_was_chosen_need_not_beat_itself():
    told = shares_of(**{"kmeans-3": 0.6, "rfm-10": 0.5, "tiers-5": 0.4})
    assert advice("rfm-10", told).text.startswith("segment: it says more than one segment")
    assert advice("tiers-5", told).text.startswith("use the RFM map")


def test_those_within_one_standard_error_of_the_best_say_as_much():
    draw = np.random.default_rng(0)
    noise = np.r_[np.zeros((1, 2)), draw.normal(0, 0.05, (999, 2))][:, :, None] * np.ones(3)
    shares = Shares(("b4", "c5"), dict.fromkeys(HALVES, np.array([0.45, 0.5])[None, :, None] + noise))
    assert propose(candidates_of(LABELS[["b4", "c5"]], shares), Limits())[0] == "b4"  # 0.05 behind, 0.07 is the error


def test_who_chooses_knows_nothing_of_the_half_that_reports():
    labels, outcomes, known = planted(800)
    skill = forward_skill(labels, outcomes, KINDS, known)
    other = outcomes.copy()
    other[~skill.chooses] = outcomes[~skill.chooses].sample(frac=1, random_state=0).to_numpy()
    again = forward_skill(labels, other, KINDS, known)
    assert (again.costs[skill.chooses] == skill.costs[skill.chooses]).all()
    assert 0.4 < skill.chooses.mean() < 0.6
    assert not forward_skill(labels, outcomes, KINDS, known, choosing=False).chooses.any()


def test_the_best_of_many_random_segmentations_is_not_advised():
    _, outcomes, known = planted(1_000)
    draw = np.random.default_rng(5)
    names = [f"kmeans-{number}" for number in range(40)]
    labels = pd.DataFrame({name: draw.integers(4, size=1_000) for name in names}, index=outcomes.index)
    shares = forward_skill(labels, outcomes, KINDS, known).shares
    best = shares.figures("choosing").set_index("candidate_id")["forward_share"].idxmax()
    assert not advice(best, shares).segment_at_all
