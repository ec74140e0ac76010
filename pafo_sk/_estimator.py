"""PafoRewardEstimator: fair, personalised reward models with fit, predict and score."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from sklearn.utils import check_random_state

from pafo_sk._baselines import most_trained_by, one_reward
from pafo_sk._before_training import checked_groups
from pafo_sk._comparisons.closed_triples import warn_of_shared_items
from pafo_sk._comparisons.links import fold_of_rows, reference_item, without_idle_prompts
from pafo_sk._comparisons.reader import InputReader
from pafo_sk._comparisons.table import ComparisonTable
from pafo_sk._comparisons.weights import counted_rows, item_weights
from pafo_sk._comparisons.winners import read_y
from pafo_sk._deployment.classifier import fitted_afresh
from pafo_sk._deployment.lifecycle import Lifecycle
from pafo_sk._deployment.reward_methods import RewardMethods
from pafo_sk._distillation import Teachers
from pafo_sk._encoding.devices import resolve_device
from pafo_sk._encoding.store import CACHE
from pafo_sk._groups import Groups, warn_without_users
from pafo_sk._judged_options import Judge
from pafo_sk._no_harm import ensure_no_harm
from pafo_sk._progress import expect, progress
from pafo_sk._sklearn_compat import Interval, StrOptions
from pafo_sk._specialists import fit_pooled, fit_specialists
from pafo_sk._student.candidate_fits import CandidateFits
from pafo_sk._student.config import StudentConfig
from pafo_sk._student.histories import code_users
from pafo_sk._student.model import HistoryModel
from pafo_sk._student.options import N_JOBS, STUDENT, StudentOptions
from pafo_sk._student.reward import PersonalisedReward
from pafo_sk._student.search import rank_candidates
from pafo_sk._student.training import CandidateTrainer
from pafo_sk._support_rate import RULES, infer_groups, support_rate
from pafo_sk._training.config import TrainingConfig
from pafo_sk._training.cross_fitting import Trainer
from pafo_sk._training.fit_cache import FitCache
from pafo_sk._training.heads import LinearHead
from pafo_sk._training.net import RewardNet
from pafo_sk._training.preconditioning import Preconditioner


class PafoRewardEstimator(Lifecycle, RewardMethods):
    """Reward model that serves minority and majority users, from comparisons of responses.

    A frozen encoder turns responses into vectors. `fit` trains a pooled Bradley-Terry model, a
    specialist for each preference group, and one unified model that is taught the specialists'
    margins and reads a user's known comparisons (the history) in place of a group label. `predict`
    needs no groups. No group may fall clearly below the pooled model on held-out comparisons; where
    the unified model would let one, the pooled model is mixed in, and ``pareto_status_`` says so.

    An independent implementation of the idea of PAFO [1]_, of which only the abstract was available
    to us. The gate infers something like a group from behaviour: treat histories as personal data.

    Parameters
    ----------
    encoder : str, path or object with ``encode``, default="all-MiniLM-L6-v2"
        sentence-transformers model for text. Kept in no attribute and no pickle.
    encode_params : dict or None, default=None
        Settings of the encoder: device (a list uses several GPUs), batch_size, dtype, max_length,
        normalize_embeddings, prompt, prompt_name, and layers: "last" for the sentence vector, a
        tuple of layers (numbers or fractions of the depth), or "auto", the default, for the layer
        in the middle and the last one, where the encoder is a transformer.
    cache : "memory", folder, EmbeddingStore or None, default="memory"
        Where the vectors of texts are kept: in this process, or in a folder that others share.
    user : str, int or None, default="user"
        Name (for arrays, index) of the user column. Without one there is no personalisation.
    pos_label : str, number, bool or None, default=None
        Label of y that means that response_b won. None: the one that names it (1, "b",
        "model_b", ...); else the larger label, with a warning.
    group_column : str, sequence of str, or None, default=None
        Column of X with the groups, or several, whose combinations are the groups; read in `fit`,
        ignored everywhere else.
    missing_groups : {"infer", "pooled", "raise"}, float or tuple, default="infer"
        Without groups: cut users by support rate at Otsu's threshold, at a number in (0, 1), or
        above the lowest fifth with ``("quantile", 0.2)``; or pooled (all with a warning); or raise.
    strategy : {"pafo", "pooled", "balanced", "group_dro"}, default="pafo"
        The method, or a baseline: one model of all rows, one in which groups count equally, one
        for the worst group.
    reward_net : RewardNet or None, default=None
        Net whose clones train the heads; None: ``RewardNet(LinearHead)``.
    student : {"mixture", "plain"} or class, default="mixture"
        Unified model: history-gated mixture, or one reward for everybody; or a subclass of
        ``HistoryModel``, such as one of ``HistoryMixture``.
    n_prototypes : "auto" or int, default="auto"
        Tastes looked for within each group (0: none, one taste vector per user instead); "auto"
        chooses on held-out rows.
    specialist_shrinkage : "auto" or float, default="auto"
        Weight of half the squared distance of a specialist from the pooled model, against the
        summed loss; "auto" chooses it for each group on held-out rows.
    n_folds : int, default=3
        Folds of cross-fitting, at least three. Rows that tell of one another stay together: those
        of one prompt or, without prompts, of one user.
    conditioning : {"group", "correct", "better"}, default="group"
        Which margins teach: those of the row's own group; only where they agree with the label;
        the pooled model's for groups that are no better off with a specialist.
    distill_weight : "auto" or float in [0, 1], default="auto"
        Weight of the teacher's margins against the labels; "auto" chooses on held-out rows.
    distill_loss : {"soft_bt", "mse"}, default="soft_bt"
        Distance between the teacher's margin and the student's.
    margin_temperature : float, default=1.0
        The teacher's (calibrated) margins are divided by it.
    group_weights : {"rows", "users", "groups"} or dict, default="rows"
        What counts equally in the student's loss; or a weight per group label.
    no_harm : float or None, default=0.005
        Held-out accuracy that a group may lose against the pooled model, as a share: 0.005 is half
        a point. None: any. Only a loss that is clear of zero (one-sided, 5 %) counts.
    device : str, torch.device or None, default=None
        Device for encoding and training; None: a GPU where there is one.
    fit_cache : FitCache or None, default=None
        Models that several fits share, see `pafo_sk.model_selection.FitCache`; None: each fit
        trains its own.
    n_jobs : int or None, default=None
        Processes that cross-fit the unified model.
    random_state : int, RandomState or None, default=None
        Seed of everything random.
    verbose : int, default=0
        Above 0: a bar with a time estimate for encoding and for training, on stderr.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        Labels of y, sorted.
    pos_label_ : object
        The one that means that response_b won.
    groups_ : list or None
        Group labels, the one with most users first; equal ones are sorted by their labels as text.
    majority_ : object or None
        Label of the group with most users.
    groups_source_ : {"groups", "group_column", "support_rate", "none"}
        Where the groups came from.
    support_rate_ : Series of shape (n_users,) or None
        Share of others who answer as each user does.
    pareto_report_ : DataFrame or None
        Held-out accuracy of each group with the pooled model, its specialist and the unified
        model, users counting equally, with paired 95 % intervals of the differences, clustered
        by user and prompt. With more than 10,000 comparisons, of a sample of so many.
    pareto_status_ : str
        One-sentence summary of ``pareto_report_``.
    history_report_, options_report_ : DataFrame or None
        The same by number of drawn comparisons (docs/method.md), and for every option looked at.
    distill_weight_ : float
        The weight used (with ``strategy="pafo"`` and groups).
    encoder_info_ : dict
        Where X is text, the encoder's name, fingerprint, dimension and settings that alter vectors;
        whether it was a folder, what is done with longer texts, or a signature of the vectors of an
        object of one's own.
    history_ : Histories
        Sums over every user's known comparisons.
    n_features_in_ : int
        Columns read from X (numeric X: features).
    feature_names_in_ : ndarray of str
        Names of the columns read, where X has names.

    References
    ----------
    .. [1] PAFO, arXiv:2606.07988.

    Examples
    --------
    >>> from pafo_sk import PafoRewardEstimator
    >>> from pafo_sk.datasets import make_preferences
    >>> data = make_preferences(n_users=30, n_comparisons=20, random_state=0)
    >>> model = PafoRewardEstimator(random_state=0).fit(data.X, data.y, groups=data.groups)
    >>> model.predict(data.X[:3]).shape
    (3,)
    >>> model.majority_
    'group_0'
    """

    __metadata_request__fit: ClassVar[dict[str, bool]] = {"groups": True, "sample_weight": True}
    __metadata_request__score: ClassVar[dict[str, bool]] = {"sample_weight": True}

    # Numbers that shape the fitted model; an ablation sets others in a subclass.
    _training_config: ClassVar[TrainingConfig] = TrainingConfig()
    _student_config: ClassVar[StudentConfig] = StudentConfig()

    pareto_report_: pd.DataFrame | None
    history_report_: pd.DataFrame | None
    options_report_: pd.DataFrame | None
    support_rate_: pd.Series | None

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "encoder": "no_validation",
        "encode_params": [dict, None],
        "cache": CACHE,
        "user": [str, Integral, None],
        "pos_label": [Real, str, "boolean", None],
        "group_column": [str, list, tuple, None],
        "missing_groups": [StrOptions(RULES), Interval(Real, 0, 1, closed="neither"), tuple],
        "strategy": [StrOptions({"pafo", "pooled", "balanced", "group_dro"})],
        "reward_net": [RewardNet, None],
        "student": STUDENT,
        "n_prototypes": [StrOptions({"auto"}), Interval(Integral, 0, None, closed="left")],
        "specialist_shrinkage": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left")],
        "n_folds": [Interval(Integral, 3, None, closed="left")],
        "conditioning": [StrOptions({"group", "correct", "better"})],
        "distill_weight": [StrOptions({"auto"}), Interval(Real, 0, 1, closed="both")],
        "distill_loss": [StrOptions({"soft_bt", "mse"})],
        "margin_temperature": [Interval(Real, 0, None, closed="neither")],
        "group_weights": [StrOptions({"rows", "users", "groups"}), dict],
        "no_harm": [Interval(Real, 0, 1, closed="left"), None],
        "device": [str, torch.device, None],
        "fit_cache": [FitCache, None],
        "n_jobs": N_JOBS,
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        *,
        encoder: Any = "all-MiniLM-L6-v2",
        encode_params: dict[str, Any] | None = None,
        cache: Any = "memory",
        user: str | int | None = "user",
        pos_label: Any = None,
        group_column: str | Sequence[str] | None = None,
        missing_groups: str | float | tuple = "infer",
        strategy: str = "pafo",
        reward_net: RewardNet | None = None,
        student: str | type[HistoryModel] = "mixture",
        n_prototypes: int | str = "auto",
        specialist_shrinkage: float | str = "auto",
        n_folds: int = 3,
        conditioning: str = "group",
        distill_weight: float | str = "auto",
        distill_loss: str = "soft_bt",
        margin_temperature: float = 1.0,
        group_weights: str | dict = "rows",
        no_harm: float | None = 0.005,
        device: str | None = None,
        fit_cache: FitCache | None = None,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ):
        self.encoder = encoder
        self.encode_params = encode_params
        self.cache = cache
        self.user = user
        self.pos_label = pos_label
        self.group_column = group_column
        self.missing_groups = missing_groups
        self.strategy = strategy
        self.reward_net = reward_net
        self.student = student
        self.n_prototypes = n_prototypes
        self.specialist_shrinkage = specialist_shrinkage
        self.n_folds = n_folds
        self.conditioning = conditioning
        self.distill_weight = distill_weight
        self.distill_loss = distill_loss
        self.margin_temperature = margin_temperature
        self.group_weights = group_weights
        self.no_harm = no_harm
        self.device = device
        self.fit_cache = fit_cache
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    @fitted_afresh
    def fit(
        self, X: Any, y: Any, groups: Any = None, sample_weight: Any = None
    ) -> PafoRewardEstimator:
        """Fit pooled model, specialists and the unified model.

        Parameters
        ----------
        X : frame, array (n, n_features) or (n, 2, n_features), or ComparisonTable
            Comparisons: texts or vectors (docs/data.md). Differences, (n, n_features), do not show
            which rows share an item: pass a table where items recur.
        y : array-like of shape (n,)
            The winner, as one of two labels; ``pos_label`` says which of them means response_b.
        groups : array-like of shape (n,), frame of several columns, or None, default=None
            Preference group of every row; a user belongs to one group, or to none (None or NaN in
            all rows). None: ``group_column``, else what ``missing_groups`` says.
        sample_weight : array-like of shape (n,) or None, default=None
            How often each comparison counts, in every step, but random draws take or leave it as
            one; weight 0 leaves it out. Two rows of opposite winners and weight 1/2 are a tie.

        Returns
        -------
        self : PafoRewardEstimator

        Raises
        ------
        ValueError, TypeError
            For input that cannot be used, naming the column, the rows and the remedy. A model
            fitted before stays as it was.
        """
        # within torch.inference_mode() tensors have no gradients
        with progress(self.verbose), torch.inference_mode(False):
            self._validate_params()
            options = StudentOptions.of(self)
            self.reader_ = InputReader()
            given = self.reader_.fit(X, self)
            given, weight, (y, groups) = counted_rows(given, sample_weight, y=y, groups=groups)
            label, self.classes_, self.pos_label_ = read_y(y, len(given), None, self.pos_label)
            user, users = code_users(given.users, len(given), self.user)
            found = checked_groups(self, groups, given.groups, label, user, users, weight)
            comparisons = given.table()
            distance_scale = comparisons.unit(item_weights(given, comparisons, weight))
            trainer = self._trainer(
                comparisons, distance_scale, options.linear, label, user, found, weight
            )
            expect(most_trained_by(self.strategy, trainer, found, options, self._student_config))

            # 0. The pooled model, below which nobody may fall.
            pooled = fit_pooled(trainer)
            self.support_rate_ = support_rate(trainer, pooled.margins(trainer, 0), users)
            if found is None and self.strategy != "pooled":
                found = infer_groups(self.support_rate_, trainer.user, self.missing_groups)
            if found is None or self.strategy != "pafo":
                module, self.pareto_report_, self.pareto_status_ = one_reward(
                    self.strategy, trainer, pooled, found
                )
                self.history_report_ = self.options_report_ = None
            else:
                warn_without_users(users, self.user)
                warn_of_shared_items(given)
                # 1. A specialist for each group.
                specialists = fit_specialists(
                    trainer, pooled, found.codes, self.specialist_shrinkage
                )
                # 2. Their margins, conditionally on the group, are what teaches
                teachers = Teachers(trainer, found.codes, pooled, specialists, self.conditioning)
                # 3. the unified model, which reads histories: candidates race on held-out rows.
                one = CandidateTrainer(
                    trainer, pooled, specialists, found, options, self._student_config
                )
                fits = CandidateFits(one.sample(trainer.config.max_judged), teachers)
                ranked = rank_candidates(fits)
                # 4. No group may be worse off than with the pooled model.
                judge = Judge(
                    fits.references(),
                    fits.margins_by_length,
                    fits.judged.trainer,
                    fits.judged.groups,
                    fits.known_by_length,
                )
                verdict = ensure_no_harm(judge, ranked, self.no_harm)
                larger = one.sample(trainer.config.max_taught)
                module = fits.final(larger=larger, **vars(verdict.option))
                self.pareto_report_, self.pareto_status_ = verdict.report, verdict.status
                self.history_report_, self.options_report_ = verdict.by_length, verdict.options
                self.distill_weight_ = verdict.option.candidate.distill_weight
            self.model_ = PersonalisedReward(module.double(), distance_scale)
            self._keep(found, comparisons, label, users, weight)
        return self

    def _trainer(
        self,
        comparisons: ComparisonTable,
        distance_scale: float,
        linear: bool,
        label: np.ndarray,
        user: np.ndarray,
        groups: Groups | None,
        weight: np.ndarray | None,
    ) -> Trainer:
        """What all models of this fit share."""
        rng = check_random_state(self.random_state)
        n_folds = min(self.n_folds, len(label))
        given = without_idle_prompts(comparisons, user, n_folds, weight)
        fold = fold_of_rows(given, user, n_folds, rng, groups.codes if groups else None, weight)
        net = RewardNet() if self.reward_net is None else self.reward_net
        linear = linear and net.module is LinearHead
        comparisons = (given.scaled_differences if linear else given.scaled)(distance_scale)
        return Trainer(
            net=net,
            comparisons=comparisons,
            given=given,
            reference=reference_item(given, user, weight),
            preconditioner=Preconditioner.of(comparisons, weight),
            label=label,
            user=user,
            weight=weight,
            fold=fold,
            n_folds=n_folds,
            device=resolve_device(self.device),
            seed=int(rng.randint(np.iinfo(np.int32).max)),
            config=self._training_config,
        ).cached_in(self.fit_cache)
