"""RewardNet: reward heads trained through skorch on comparisons held in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from inspect import signature, unwrap
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from skorch import NeuralNet
from torch import Tensor, nn

from pafo_sk._training.data import IndexIterator, PairData
from pafo_sk._training.heads import LinearHead, takes_generator
from pafo_sk._training.losses import BradleyTerryLoss
from pafo_sk._training.preconditioning import remove


class _LBFGS(torch.optim.LBFGS):
    """L-BFGS that does not import torch's compiler, which takes a process one to two seconds."""

    add_param_group = unwrap(torch.optim.Optimizer.add_param_group)
    zero_grad = unwrap(torch.optim.Optimizer.zero_grad)


class RewardNet(NeuralNet):
    """A skorch net that learns reward heads from comparisons.

    Where ``optimizer``, ``lr``, ``max_epochs`` or ``batch_size`` is None, the module decides: one
    whose ``convex`` attribute is true is trained with full-batch L-BFGS, any other with Adam on
    mini-batches. Everything else is skorch: callbacks, ``optimizer__weight_decay``,
    ``module__hidden`` and so on.

    Parameters
    ----------
    module : class of nn.Module, default=LinearHead
        Called with ``n_features`` and ``n_rewards``; maps items ``(n_items, n_features)`` to
        rewards ``(n_items, n_rewards)``. The first dimension of every parameter is the reward. A
        class of your own that takes ``generator`` gets a ``torch.Generator`` and must draw all its
        numbers from it; its fits are then the same in threads as one after the other. For any other
        class torch's global generator is seeded while it trains and put back afterwards, so train
        it in one thread at a time, or in processes.
    criterion : class of nn.Module, default=BradleyTerryLoss
        Maps margins and targets to one loss per comparison and head.
    optimizer : class of torch optimizer or None, default=None
        None: ``torch.optim.LBFGS`` for convex modules, ``torch.optim.Adam`` for others.
    lr : float or None, default=None
        Learning rate. None: 1.0 for L-BFGS, 0.003 for Adam.
    max_epochs : int or None, default=None
        None: 1 for L-BFGS (its iterations are ``optimizer__max_iter``), 30 for Adam.
    batch_size : int or None, default=None
        Comparisons a batch. None: all for L-BFGS, 512 for Adam.
    iterator_train, iterator_valid : class, default=IndexIterator
        How batches are drawn.
    train_split : None, default=None
        Anything else is an error, because ``PafoRewardEstimator`` holds rows out itself.
    callbacks : list, "disable" or None, default="disable"
        skorch callbacks.
    verbose : int, default=0
        Verbosity of skorch.
    **kwargs
        Any other parameter of ``skorch.NeuralNet``.

    See Also
    --------
    PafoRewardEstimator : takes such a net as ``reward_net``.

    Examples
    --------
    >>> from pafo_sk import MLPHead, PafoRewardEstimator, RewardNet
    >>> net = RewardNet(MLPHead, module__hidden=8, max_epochs=5)
    >>> estimator = PafoRewardEstimator(reward_net=net)
    >>> estimator.set_params(reward_net__module__hidden=16).reward_net.module__hidden
    16
    """

    def __init__(
        self,
        module: Any = LinearHead,
        criterion: Any = BradleyTerryLoss,
        *,
        optimizer: Any = None,
        lr: float | None = None,
        max_epochs: int | None = None,
        batch_size: int | None = None,
        iterator_train: Any = IndexIterator,
        iterator_valid: Any = IndexIterator,
        train_split: Any = None,
        callbacks: Any = "disable",
        verbose: int = 0,
        **kwargs: Any,
    ):
        super().__init__(
            module,
            criterion,
            optimizer=optimizer,
            lr=lr,
            max_epochs=max_epochs,
            batch_size=batch_size,
            iterator_train=iterator_train,
            iterator_valid=iterator_valid,
            train_split=train_split,
            callbacks=callbacks,
            verbose=verbose,
            **kwargs,
        )

    def __repr__(self) -> str:
        """The parameters that differ from their defaults."""
        defaults = {
            name: parameter.default
            for init in (NeuralNet.__init__, type(self).__init__)
            for name, parameter in signature(init).parameters.items()
        }
        changed = {
            name: value
            for name, value in self.get_params(deep=False).items()
            if name[0] != "_" and (name not in defaults or value is not defaults[name])
        }
        shown = (f"{name}={_shown(value)}" for name, value in changed.items())
        return f"{type(self).__name__}({', '.join(shown)})"

    def resolved(self, precision: float = 0.0) -> RewardNet:
        """A clone in which the module has decided everything that was None.

        Parameters
        ----------
        precision : float, default=0.0
            Smaller changes of the loss are rounding errors, and end L-BFGS.

        Returns
        -------
        net : RewardNet
        """
        convex = getattr(self.module, "convex", False)
        net: RewardNet = clone(self)
        optimizer = self.optimizer or (torch.optim.LBFGS if convex else torch.optim.Adam)
        optimizer = _LBFGS if optimizer is torch.optim.LBFGS else optimizer
        full_batch = optimizer is _LBFGS
        decided = {
            "lr": 1.0 if full_batch else 3e-3,
            "max_epochs": 1 if full_batch else 30,
            "batch_size": -1 if full_batch else 512,
        }
        settings = {
            k: v if getattr(self, k) is None else getattr(self, k) for k, v in decided.items()
        }
        if full_batch:
            defaults = {"max_iter": 300, "line_search_fn": "strong_wolfe", "history_size": 20}
            defaults["tolerance_change"] = max(1e-9, precision)
            given = self.get_params_for("optimizer")
            settings |= {f"optimizer__{k}": v for k, v in defaults.items() if k not in given}
        return net.set_params(optimizer=optimizer, **settings)

    def can_be_preconditioned(self) -> bool:
        """Tell whether L-BFGS trains on all rows at once.

        Returns
        -------
        answer : bool
            If so, other coordinates of the items change its speed alone.
        """
        return self.optimizer is _LBFGS and self.batch_size == -1

    def draws_globally(self) -> bool:
        """Tell whether something of the user's own may draw from torch's global generators.

        Returns
        -------
        answer : bool
        """
        head_is_known = self.module is LinearHead or takes_generator(self.module)
        parts = (self.criterion, self.iterator_train, self.callbacks)
        return not head_is_known or parts != (BradleyTerryLoss, IndexIterator, "disable")

    def check_training_readiness(self) -> None:
        if self.optimizer is None:
            raise ValueError("RewardNet: call resolved() before fit, so that the module decides.")
        super().check_training_readiness()

    def get_dataset(self, X: PairData, y: None = None) -> PairData:
        return X

    def partial_fit(
        self, X: PairData, y: None = None, classes: None = None, **kwargs: Any
    ) -> RewardNet:
        # skorch's takes Ctrl-C for the end of training, and the fit would go on with what there is
        if not self.initialized_:
            self.initialize()
        self.notify("on_train_begin", X=X, y=y)
        self.fit_loop(X, y, **kwargs)
        self.notify("on_train_end", X=X, y=y)
        return self

    def fit_loop(self, X: PairData, y: None = None, **kwargs: Any) -> RewardNet:
        self.total_weight_ = positive(X.total_weight())
        return super().fit_loop(X, y, **kwargs)

    def train_step_single(self, batch: Any, **fit_params: Any) -> dict[str, Any]:
        whole, _ = batch
        if len(whole.pieces) < 2:
            step: dict[str, Any] = super().train_step_single(batch, **fit_params)
            return step
        # gradients of the pieces add up, and only one piece's graph is in memory at a time
        self._set_training(True)
        total = whole.shrinkage(self.module_, self.total_weight_)
        if total.requires_grad:  # a module of the user's own may have no penalty
            total.backward()
        total = total.detach()
        for piece in whole.pieces:
            predicted = self.infer(piece, **fit_params)
            fraction = piece.total_weight() / whole.total_weight()
            loss = fraction * piece.loss(self.criterion_, predicted)
            loss.backward()
            total += loss.detach()
        return {"loss": total, "y_pred": predicted.detach()}

    def infer(self, x: PairData, **fit_params: Any) -> Tensor:
        return x.predict(self.module_)

    def get_loss(
        self, y_pred: Tensor, y_true: Tensor, X: Any = None, training: bool = False
    ) -> Tensor:
        loss: Tensor = X.loss(self.criterion_, y_pred)
        return loss + X.shrinkage(self.module_, self.total_weight_)


def check_net(net: RewardNet) -> None:
    """Raise for settings with which no head can be trained."""
    if net.train_split is not None:
        raise ValueError(
            f"RewardNet: train_split={net.train_split!r} cannot be used, because "
            "PafoRewardEstimator holds rows out itself. Leave it None; a callback that needs a "
            "score can take that of training: EarlyStopping(monitor='train_loss')."
        )
    net = net.resolved()
    for prefix in ("module", "criterion", "optimizer"):
        part = getattr(net, prefix)
        if not isinstance(part, type):
            continue
        taken = signature(part).parameters
        if any(parameter.kind is parameter.VAR_KEYWORD for parameter in taken.values()):
            continue
        # parameters of groups of weights are skorch's own
        unknown = sorted(net.get_params_for(prefix).keys() - taken.keys() - {"param_groups"})
        if unknown:
            raise TypeError(
                f"RewardNet: {part.__name__} takes no {unknown[0]!r}, given as "
                f"{prefix}__{unknown[0]}; it takes {list(taken)}."
            )


def _shown(value: Any) -> str:
    """A parameter as one would write it."""
    return value.__name__ if isinstance(value, type) else repr(value)


def positive(total: Tensor) -> Tensor:
    """Summed weights; a head without comparisons is its anchor, not a division by zero."""
    return torch.where(total > 0, total, 1.0)


def as_tensor(array: Any, *, dtype: torch.dtype, device: torch.device) -> Tensor:
    """An array as a contiguous tensor on a device."""
    return torch.as_tensor(np.ascontiguousarray(array), dtype=dtype, device=device)


def trained(net: RewardNet, data: PairData) -> Any:
    """The module of an initialised net, trained on data, in its own coordinates.

    It is on the CPU and without gradients, so that its pickle is small.
    """
    net.partial_fit(data)
    remove(net.module_)
    module = net.module_.to("cpu").eval().requires_grad_(False)
    draw_from(None, module)
    for parameter in module.parameters():
        parameter.grad = None
    return module


def draw_from(generator: torch.Generator | None, module: nn.Module) -> None:
    """Let the heads within a module that draw numbers draw them from a generator."""
    parts: Iterable[Any] = module.modules()
    for part in parts:
        if "generator" in vars(part):
            device = next(part.parameters()).device
            if generator is not None and device.type != "cpu":
                generator = torch.Generator(device).manual_seed(generator.initial_seed())
            part.generator = generator


@contextmanager
def seeded(seed: int, device: torch.device, *, everything: bool) -> Iterator[torch.Generator]:
    """A generator on the CPU for one training.

    Parameters
    ----------
    everything : bool
        Whether something may draw from torch's global generators. They are then seeded inside the
        block, and left as they were found, unless another thread draws from them meanwhile.
    """
    if not everything:
        yield torch.Generator().manual_seed(seed)
        return
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield torch.default_generator
