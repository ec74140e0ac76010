"""Plots of how well a model serves users and groups, in the manner of scikit-learn's displays.

Each display has ``from_estimator`` and ``from_predictions``, which compute and draw, and ``plot``,
which draws again. After drawing, ``ax_`` and ``figure_`` are those of matplotlib. Displays need
matplotlib (``pip install "pafo_sk[plot]"``) and import it when they draw.
"""

from pafo_sk.inspection._gate import GateDisplay
from pafo_sk.inspection._group_accuracy import GroupAccuracyDisplay
from pafo_sk.inspection._history import HistoryDisplay
from pafo_sk.inspection._pareto import ParetoDisplay
from pafo_sk.inspection._user_accuracy import UserAccuracyDisplay

__all__ = [
    "GateDisplay",
    "GroupAccuracyDisplay",
    "HistoryDisplay",
    "ParetoDisplay",
    "UserAccuracyDisplay",
]
