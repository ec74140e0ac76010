"""Fitted models as plain values and arrays, and back; what comes back is checked in every size.

Pickles and files hold this form instead of our objects. So they keep loading when a class changes,
and tools that trust few types can read them.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Hashable
from numbers import Number
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from pafo_sk._comparisons.reader import InputReader
from pafo_sk._deployment.enrolled_keys import EnrolledKeys
from pafo_sk._deployment.hashed_users import HashedUsers, hashed
from pafo_sk._deployment.reward_scale import RewardScale
from pafo_sk._student.config import StudentConfig
from pafo_sk._student.histories import Histories
from pafo_sk._student.known_users import KnownUsers
from pafo_sk._student.model import HistoryMixture
from pafo_sk._student.reward import PersonalisedReward
from pafo_sk._training.heads import LinearHead, MLPHead

# Fitted attributes that stay as they are, and frames.
PLAIN = (
    "pos_label_",
    "groups_",
    "majority_",
    "groups_source_",
    "pareto_status_",
    "distill_weight_",
)
FRAMES = ("pareto_report_", "history_report_", "options_report_")
FITTED = (
    *PLAIN,
    *FRAMES,
    *(
        "reader_",
        "classes_",
        "support_rate_",
        "model_",
        "history_",
        "enrolled_keys_",
        "reward_scale_",
    ),
)
# Numbers of `StudentConfig` that a fitted model reads; the others are those of its training.
USED = ("prior_strength", "saturation")
FORMS = ("text", "difference", "pair", "table")
READER: dict[str, type | tuple[type, ...]] = {
    "form_": str,
    "has_users_": bool,
    "n_features_in_": int,
    "feature_names_in_": list,
    "encoder_info_": dict,
    "block_scales_": (np.ndarray, type(None)),
}
ENCODER: dict[str, Any] = {
    "name": str,
    "fingerprint": str,
    "dimension": int,
    "layers": (str, tuple),
}
# Files of earlier versions lack some of these.
SETTINGS = ("window", "prompt", "normalize_embeddings")
CLASSES = re.compile(r"bool|u?int(8|16|32|64)|float(16|32|64)|<U\d{1,5}|object")


def to_state(estimator: Any) -> dict[str, Any]:
    """Fitted attributes as plain values.

    A model of classes that are not the library's is left as the object that it is.
    """
    estimator = copy.copy(estimator)  # which no other thread changes
    own = vars(estimator)
    state: dict[str, Any] = {name: own[name] for name in PLAIN if name in own}
    state |= {name: frame_state(own[name]) for name in FRAMES if name in own}
    reader = vars(estimator.reader_).copy()
    if "feature_names_in_" in reader:
        reader["feature_names_in_"] = reader["feature_names_in_"].tolist()
    state["reader_"] = reader
    dtype, classes = str(estimator.classes_.dtype), estimator.classes_.tolist()
    state["classes_"] = {"dtype": dtype, "values": classes}
    history: Histories = estimator.history_
    state["history_"] = history.to_state()
    if isinstance(history.known, HashedUsers):
        state["history_"]["salt"] = history.known.salt.hex()
    if (rate := estimator.support_rate_) is not None:
        # hashed users are in the support rates by their hashes
        position = KnownUsers(state["history_"]["users"]).find(rate.index, len(history))
        known = position >= 0
        rate = {"user": position[known], "rate": rate.to_numpy()[known]}
    state["support_rate_"] = rate
    if "enrolled_keys_" in own:
        state["enrolled_keys_"] = own["enrolled_keys_"].to_state()
    state["reward_scale_"] = dict(vars(estimator.reward_scale_))
    state["model_"] = model_state(estimator.model_)
    return state


def from_state(state: dict[str, Any]) -> dict[str, Any]:
    """Fitted attributes from plain values.

    Raises
    ------
    ValueError, TypeError, KeyError
        If anything is absent, of another type, or of a size that does not fit the rest.
    """
    _require(set(state) <= set(FITTED), f"it has the parts {sorted(set(state) - set(FITTED))}")
    _require(isinstance(state["groups_"], list | None), f"its groups are {state['groups_']!r:.80}")
    _require(isinstance(state["pareto_status_"], str), "its status is no text")
    _require({"majority_", "groups_source_"} <= set(state), "its groups are not described")
    groups = map(repr, state["groups_"] or [None])  # a label may hold NaN, which equals nothing
    _require(repr(state["majority_"]) in groups, "its largest group is none of its groups")
    found: dict[str, Any] = {name: state[name] for name in PLAIN if name in state}
    found |= {name: frame_from(state[name]) for name in FRAMES if name in state}
    found["reader_"] = _reader(state["reader_"])
    found["classes_"] = _classes(**state["classes_"])
    _require(found["pos_label_"] in found["classes_"].tolist(), "no class means response_b")
    model = found["model_"] = state["model_"]
    if isinstance(model, dict):
        model = found["model_"] = model_from(**model)
        _require(_fit_together(found["reader_"], model), "its reader and weights differ in width")
    history = found["history_"] = _history(**state["history_"], model=model)
    found["reward_scale_"] = _reward_scale(**state["reward_scale_"], model=model)
    if "enrolled_keys_" in state:
        found["enrolled_keys_"] = EnrolledKeys.from_state(**state["enrolled_keys_"])
    rate = state["support_rate_"]
    found["support_rate_"] = None if rate is None else _support_rate(**rate, users=history.users)
    return found


def model_state(model: PersonalisedReward) -> dict[str, Any] | PersonalisedReward:
    """Weights and numbers of a model; the model itself where its classes are not the library's."""
    module = model.module
    if foreign_parts(module):
        return model
    assert isinstance(module, HistoryMixture)
    return {
        "head": type(module.reference).__name__,
        "tensors": {name: value.numpy() for name, value in module.state_dict().items()},
        "personal": module.personal,
        "pooled_share": float(module.pooled_share),
        "direction_penalty": float(module.direction_penalty),
        "config": {name: getattr(module.config, name) for name in USED},
        "item_scale": float(model.item_scale),
        "prototype_groups": module.prototype_groups,
    }


def foreign_parts(module: nn.Module) -> list[str]:
    """Names of the classes of a model that are not the library's."""
    known = (HistoryMixture, LinearHead, MLPHead)
    return sorted({type(part).__name__ for part in module.modules() if type(part) not in known})


def model_from(
    head: str,
    tensors: dict[str, np.ndarray],
    personal: bool,
    pooled_share: float,
    direction_penalty: float,
    config: dict[str, Any],
    item_scale: float,
    prototype_groups: list[int] | None = None,
) -> PersonalisedReward:
    """A model from its weights; their shapes say how large it is."""
    _require(head in ("LinearHead", "MLPHead"), f"it has a head {head!r}")
    for name, value in tensors.items():
        _require(
            isinstance(value, np.ndarray) and value.dtype == np.float64,
            f"the weights {name!r} are not in double precision",
        )
        _require(np.isfinite(value).all(), f"the weights {name!r} hold NaN or infinity")
    numbers = (pooled_share, direction_penalty, item_scale)
    _require(all(type(n) is float and 0 <= n < np.inf for n in numbers), "a number is out of range")
    _require(type(personal) is bool and pooled_share <= 1, "a number is no share")
    n_prototypes = tensors["log_share"].size
    if prototype_groups is not None:
        typed = isinstance(prototype_groups, list) and all(type(c) is int for c in prototype_groups)
        _require(typed and len(prototype_groups) == n_prototypes, "prototypes lack their groups")
    directions = tensors["directions.weight"]
    # an array without rows may claim any width, and another with them has to confirm it
    width = tensors["reference.weight" if head == "LinearHead" else "reference.inner"].shape[-1]
    _require(directions.ndim == 2 and directions.shape[1] == width > 0, "weights differ in width")
    parts: list[nn.Module] = []
    with torch.random.fork_rng(devices=()):  # a perceptron draws its weights before it gets others
        for name, n_rewards in [("prototypes", n_prototypes), ("reference", 1)]:
            if head == "LinearHead":
                fits = tensors[f"{name}.weight"].shape == (n_rewards, width)
                _require(fits, "weights are absent")
                parts.append(LinearHead(width, n_rewards))
                continue
            hidden = tensors["reference.bias"].shape[-1]
            fits = tensors[f"{name}.inner"].shape == (n_rewards, hidden, width)
            _require(fits and hidden > 0, "weights are absent")
            parts.append(MLPHead(width, n_rewards, hidden))
    prototypes, reference = parts
    taste = LinearHead(width, len(directions))
    module = HistoryMixture(prototypes, reference, taste, personal=personal).double()
    shapes = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    given = {name: value.shape for name, value in tensors.items()}
    _require(shapes == given, "weights are absent, or their sizes do not fit one another")
    module.load_state_dict({k: torch.as_tensor(v.copy()) for k, v in tensors.items()})
    module.pooled_share, module.direction_penalty = pooled_share, direction_penalty
    module.config, module.prototype_groups = _config(config), prototype_groups
    return PersonalisedReward(module.eval().requires_grad_(False), item_scale)


def _config(given: dict[str, Any]) -> StudentConfig:
    """The numbers of a model. Files may hold those of its training as well, which are not read."""
    used = {name: given[name] for name in USED}
    for name, value in used.items():
        _require(type(value) in (float, int) and 0 < value < np.inf, f"{name} is {value!r}")
    return StudentConfig(**used)


def frame_state(frame: pd.DataFrame | None) -> dict[str, Any] | None:
    """A frame as lists."""
    if frame is None:
        return None
    return {
        "columns": frame.columns.tolist(),
        "index": frame.index.tolist(),
        "names": list(frame.index.names),
        "values": [frame.iloc[:, i].tolist() for i in range(frame.shape[1])],
    }


def frame_from(state: dict[str, Any] | None) -> pd.DataFrame | None:
    """A frame from lists."""
    if state is None:
        return None
    labels, names, values = state["index"], state["names"], state["values"]
    if len(names) > 1:
        index: pd.Index = pd.MultiIndex.from_tuples(labels, names=names)
    else:
        index = pd.Index(labels, tupleize_cols=False, name=names[0])
    _require(len(values) == len(state["columns"]), "a report has other columns than names")
    frame = pd.DataFrame(dict(enumerate(values)), index=index)
    frame.columns = pd.Index(state["columns"], tupleize_cols=False)
    return frame


def _reader(state: dict[str, Any]) -> InputReader:
    """What later X must agree with."""
    reader = InputReader()
    for name, value in state.items():
        _require(name in READER and isinstance(value, READER[name]), f"its reader has {name!r}")
        setattr(reader, name, value)
    _require(state["form_"] in FORMS, f"it reads the form {state['form_']!r}")
    if "feature_names_in_" in state:
        reader.feature_names_in_ = np.array(state["feature_names_in_"], dtype=object)
    if (scales := state.get("block_scales_")) is not None:
        _require(scales.dtype.kind == "f" and np.isfinite(scales).all(), "scales are no numbers")
    if "encoder_info_" in state:
        info, needed = state["encoder_info_"], set(ENCODER)
        typed = all(isinstance(info.get(name), kind) for name, kind in ENCODER.items())
        others = set(info) - needed <= {"folder", "longer_texts", "signature", *SETTINGS}
        _require(typed and others, "its encoder is not described")
    return reader


def _fit_together(reader: InputReader, model: PersonalisedReward) -> bool:
    """Whether items that are read have the width of the weights."""
    assert isinstance(model.module, HistoryMixture)
    width = model.module.directions.weight.shape[1]
    if reader.form_ != "text":
        return reader.n_features_in_ == width
    scales = reader.block_scales_
    blocks = 1 if scales is None else max(1, scales.size)
    return width % blocks == 0 and reader.encoder_info_["dimension"] == width


def _classes(dtype: str, values: list) -> np.ndarray:
    _require(CLASSES.fullmatch(dtype) and len(values) == 2, "it has no two classes")
    classes = np.array(values, dtype=dtype)
    _require(classes.ndim == 1 and classes[0] != classes[1], "its classes do not differ")
    return classes


def with_hashed_users(state: dict[str, Any], salt: bytes) -> dict[str, Any]:
    """The state with hashes in place of the users; unchanged where they are hashed already."""
    history = state["history_"]
    if "salt" in history:
        return state
    kinds = {type(user) for user in history["users"]}
    if not all(issubclass(kind, str | int | float | tuple | np.generic) for kind in kinds):
        names = sorted(kind.__name__ for kind in kinds)
        raise TypeError(f"hash_users hashes strings, numbers and tuples; the users are {names}.")
    users = [hashed(user, salt) for user in history["users"]]
    state = {**state, "history_": {**history, "users": users, "salt": salt.hex()}}
    if not (named := _named_after_users(state, set(history["users"]))):
        return state

    def name(label: Any) -> Any:
        return hashed(label, salt) if label in named else label

    state["groups_"] = list(map(name, state["groups_"]))
    state["majority_"] = name(state["majority_"])
    state["pareto_status_"] = "groups are named after users, and their names are hashed"
    for report, axis in [("pareto_report_", "index"), ("options_report_", "columns")]:
        if (frame := state.get(report)) is not None:
            state[report] = {**frame, axis: list(map(name, frame[axis]))}
    if (frame := state.get("history_report_")) is not None:
        index = [(name(group), length) for group, length in frame["index"]]
        state["history_report_"] = {**frame, "index": index}
    return state


def _named_after_users(state: dict[str, Any], users: set[Hashable]) -> set[Hashable]:
    """Groups with the name of a user; a number only if it is the group of one user."""
    report = state["pareto_report_"]
    if report is None or "n_users" not in report["columns"]:
        n_users = {}
    else:
        counts = report["values"][report["columns"].index("n_users")]
        n_users = dict(zip(report["index"], counts, strict=True))
    return {
        group
        for group in state["groups_"] or ()
        if group in users and (not isinstance(group, Number) or n_users.get(group, 0) < 2)
    }


def _history(
    users: list, sums: np.ndarray, model: PersonalisedReward, salt: str | None = None
) -> Histories:
    shape = (len(users), model.module.n_statistics)
    _require(sums.dtype == np.float64 and sums.shape == shape, f"histories have no {shape} sums")
    _require(np.isfinite(sums).all() and (sums[:, 0] >= 0).all(), "a history is not finite")
    if salt is not None:
        _require(re.fullmatch("([0-9a-f]{2}){1,64}", salt), "the salt of its users is none")
    try:
        known = KnownUsers(users) if salt is None else HashedUsers(bytes.fromhex(salt), users)
    except ValueError:
        raise ValueError("a user occurs twice") from None
    return Histories.from_state({"users": users, "sums": sums}, known)


def _reward_scale(
    mean: np.ndarray, covariance: np.ndarray, model: PersonalisedReward
) -> RewardScale:
    size = len(model.population)
    shapes = {mean.shape: mean.dtype, covariance.shape: covariance.dtype}
    fits = shapes == {(size,): np.float64, (size, size): np.float64}
    _require(fits, "the scale of its rewards has another size")
    finite = np.isfinite(mean).all() and np.isfinite(covariance).all()
    _require(finite, "the scale of its rewards is not finite")
    return RewardScale(mean, covariance)


def _support_rate(user: np.ndarray, rate: np.ndarray, users: pd.Index) -> pd.Series:
    _require(rate.dtype == np.float64 and user.shape == rate.shape, "support rates have no users")
    _require(np.isfinite(rate).all(), "a support rate is not finite")
    inside = user.dtype.kind == "i" and ((user >= 0) & (user < len(users))).all()
    _require(inside and user.ndim == 1, "support rates name users that are not there")
    return pd.Series(rate, index=users[user], name="support_rate")


def _require(condition: Any, problem: str) -> None:
    if not condition:
        raise ValueError(problem)
