"""What the chosen segmentation says at earlier origins, and of outcomes that it was made without."""

from datetime import timedelta

import pandas as pd

from segkit.data.orders import Orders
from segkit.data.ready_table import ReadyRows
from segkit.runtime.content import made_once
from segkit.runtime.progress import progress_bar
from segkit.runtime.tables.schema import TABLES
from segkit.validation.candidates import Candidates
from segkit.validation.forward.judge import judge_labels, peers, refit_candidates
from segkit.validation.forward.judgement import count_segments
from segkit.validation.forward.look_back import Future, look_back, orders_content


def judged_segments(candidates: Candidates) -> int:
    """Return how many segments the chosen recipe made where it was judged; customers left out count as one."""
    chosen = candidates.chosen
    recipes = candidates.judgement.recipes.set_index("candidate_id")["segments"]
    return int(recipes.get(chosen["candidate_id"], chosen["segments"]))


def earlier_origins(
    candidates: Candidates,
    rows: Orders | ReadyRows | None,
    *,
    horizon_days: int = 90,
    judge_value: float = 0.5,
    most: int = 3,
    jobs: int | None = None,
) -> pd.DataFrame:
    """Return what the chosen candidate, k-means and the baselines told at every origin that the data allow.

    One block per origin, the latest first, as far back as the data allow, at most `most` before that of `look_back`:
    customers of one period share its weather, which no interval over customers shows. k-means and k-means on the RFM
    scores have as many segments as the chosen one (customers left out count as one). The latest origin is of the half
    of the customers that did not choose, the others of all. Where the data begin too late to learn from, candidates
    that need models are missing. A kept model did not exist at the origins before; its recipe was judged there when it
    was fitted.

    Returns
    -------
    DataFrame
        As the table ``origins``: origin, until, customers, candidate_id, forward_value, forward_behaviour,
        forward_share and bounds. Empty where nothing could be judged.
    """
    judgement, columns = candidates.judgement, list(TABLES["origins"].columns)
    if judgement.shares is None or not isinstance(rows, Orders):
        return pd.DataFrame(columns=columns)
    matrix, k = candidates.known_matrix(), judged_segments(candidates)
    as_of = matrix.features.as_of
    baselines = list(candidates.table["candidate_id"][candidates.is_baseline])
    ids = list(dict.fromkeys([candidates.chosen["candidate_id"], f"kmeans-{k}", *baselines]))
    tried = [candidates.grid[one] for one in ids if one in candidates.grid]

    def make() -> list[pd.DataFrame]:
        tables = []
        with progress_bar("judging at earlier origins") as progress:
            for number in range(1, most + 1):
                day = as_of - timedelta(days=number * horizon_days)
                shared = {"horizon_days": horizon_days, "judge_value": judge_value, "jobs": jobs}
                future = look_back(rows, matrix, as_of=day, **shared)
                if not future.known:
                    break
                labels = refit_candidates(future, tried, candidates.families, jobs=jobs, progress=progress)
                segments = count_segments(labels).get(tried[0].candidate_id, tried[0].params.get("k", 0))
                like = pd.DataFrame(peers(future.matrix, [segments], behaviour=False), index=labels.index)
                told = judge_labels(future, pd.concat([labels, like], axis=1), judge_value, choosing=False)
                tables.append(
                    told.shares.figures().assign(
                        origin=str(future.origin), until=str(future.until), customers=len(labels)
                    )
                )
        return tables

    latest = judgement.shares.figures("reporting").set_index("candidate_id")  # the others had a part in the choice
    latest = latest.loc[[name for name in [*ids, f"rfm-scores-{k}"] if name in latest.index]].reset_index()
    origin = as_of - timedelta(days=horizon_days)
    latest = latest.assign(origin=str(origin), until=str(as_of), customers=judgement.customers)
    content = (orders_content(rows), as_of, matrix.features.window_days, matrix.features.recipe.get("added"))
    content = (*content, matrix.weights, matrix.seed, tried, candidates.families, horizon_days, judge_value, most)
    earlier = [] if candidates.kept is not None else made_once("origins", "validation.forward.origins", content, make)
    return pd.concat([latest, *earlier], ignore_index=True)[columns]


def unseen_outcomes(candidates: Candidates, future: Future | None, *, judge_value: float = 0.5) -> pd.DataFrame:
    """Return what the proposed segments say about each outcome when they are made without it.

    Only of a family that is made of predicted outcomes, and where its models could be learned one horizon back; else
    the table is empty.

    Returns
    -------
    DataFrame
        As the table ``unseen``: candidate_id, outcome, group, skill (made with it), unseen (without), each with
        ``_low, _high`` (95 %), ceiling.
    """
    columns = list(TABLES["unseen"].columns)
    if candidates.kept is not None or future is None or not future.known or future.matrix.models is None:
        return pd.DataFrame(columns=columns)
    candidate, family = candidates.grid[candidates.proposed], candidates.family_of(candidates.proposed)
    if family.without is None:
        return pd.DataFrame(columns=columns)

    def make() -> pd.DataFrame:
        params = family.then(candidate.params, future.matrix) if family.then else candidate.params
        labels = pd.DataFrame(
            family.without(future.matrix, params, seed=future.matrix.seed), index=future.matrix.compared
        )
        skill = judge_labels(future, labels, judge_value, choosing=False).outcomes()
        seen = skill[skill["candidate_id"] == ""].set_index("outcome")
        own = skill[skill["candidate_id"] == skill["outcome"]].set_index("outcome")
        table = seen[["group"]].copy()
        for name, told in (("skill", seen), ("unseen", own)):
            table[[name, f"{name}_low", f"{name}_high"]] = told[["skill", "low", "high"]]
        return table.assign(ceiling=seen["ceiling"], candidate_id=candidate.candidate_id).reset_index()[columns]

    content = (candidate, family, future, judge_value)
    return made_once("unseen outcomes", "validation.forward.origins", content, make)
