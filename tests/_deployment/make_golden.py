"""Write the golden files of this version: `python tests/_deployment/make_golden.py`.

Later versions must read them. Add files when a format gets a new number, and keep the old ones.
"""

from pathlib import Path

import joblib

from pafo_sk import PafoRewardEstimator, RewardNet
from pafo_sk._deployment.classifier import PICKLE_FORMAT
from pafo_sk._deployment.file_format import FORMAT
from pafo_sk.datasets import make_preferences

GOLDEN = Path(__file__).parent / "golden"
PARAMS = {"n_folds": 3, "distill_weight": 0.5, "specialist_shrinkage": 1.0, "n_prototypes": 1}


def golden_data():
    """Comparisons of eight users."""
    return make_preferences(n_users=8, n_comparisons=6, n_features=3, random_state=0)


def main():
    data = golden_data()
    net = RewardNet(optimizer__max_iter=10)
    model = PafoRewardEstimator(**PARAMS, reward_net=net, no_harm=None, random_state=0)
    model.fit(data.X, data.y, groups=data.groups).set_params(reward_net=None)
    model.enroll(data.X[:3].assign(user="new"), data.y[:3], keys=[1, 2, 3])
    GOLDEN.mkdir(exist_ok=True)
    model.save(GOLDEN / f"format-{FORMAT}.pafo")
    joblib.dump(model, GOLDEN / f"pickle-{PICKLE_FORMAT}.joblib")
    margins = model.decision_function(data.X).tolist()
    (GOLDEN / "margins.txt").write_text("\n".join(map(repr, margins)) + "\n")


if __name__ == "__main__":
    main()
