"""Pictures of who is served how well: Display classes in the manner of scikit-learn's.

Each has ``from_estimator`` and ``from_predictions``, which compute and draw, and ``plot``, which
draws again. After drawing, ``ax_`` and ``figure_`` are matplotlib's. They need matplotlib
(``pip install "pafo_sk[plot]"``), which is imported when something is drawn.
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
