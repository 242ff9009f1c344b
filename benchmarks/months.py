"""How often drift is alarmed without a change, and found with one.

Customers keep what they are and vary as much again each month, so that two months correlate by a half; there are 2,500
of them with ten features, in 100 draws. Prints the alarms of no-change months, and of months in which one feature
shifts by half a standard deviation.

    python benchmarks/months.py
"""

import time

import numpy as np
import pandas as pd

from segkit.months import feature_drift

CUSTOMERS, FEATURES, DRAWS, SHIFT = 2_500, 10, 100, 0.5
KINDS = pd.DataFrame({"kind": "number"}, index=pd.Index([f"f{i}" for i in range(FEATURES)], name="feature"))


def two_months(seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the features of the same customers in two months without a change."""
    random = np.random.default_rng(seed)
    who = random.normal(size=(CUSTOMERS, FEATURES))
    months = [(who + random.normal(size=who.shape)) / np.sqrt(2) for _ in range(2)]
    return tuple(pd.DataFrame(month, columns=KINDS.index) for month in months)


def main() -> None:
    """Print false and true alarms, and the time of one comparison."""
    start, false, found, beside = time.process_time(), 0, 0, 0
    for seed in range(DRAWS):
        then, now = two_months(seed)
        false += int(feature_drift(then, now, KINDS, seed=seed)["alarm"].sum())
        shifted = feature_drift(then, now.assign(f3=now["f3"] + SHIFT), KINDS, seed=seed).set_index("feature")["alarm"]
        found, beside = found + int(shifted["f3"]), beside + int(shifted.drop("f3").sum())
    seconds = (time.process_time() - start) / (2 * DRAWS)
    print(f"no change: {false} alarms in {DRAWS * FEATURES} features")
    print(f"a shift of {SHIFT} sd: found in {found} of {DRAWS}, {beside} alarms beside it; {seconds:.2f} CPU s a month")


if __name__ == "__main__":
    main()
