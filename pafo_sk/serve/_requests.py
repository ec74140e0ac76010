"""What requests hold, with limits on every size."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictInt,
    StrictStr,
    TypeAdapter,
    ValidationError,
    model_validator,
)

MAX_ROWS = 10_000
MAX_CHARACTERS = 100_000
MAX_BODY = 32_000_000  # bytes
MOST_UNKNOWN = 10  # fields of one object

Text = Annotated[StrictStr, Field(max_length=MAX_CHARACTERS)]
Label = (
    Annotated[StrictStr, Field(max_length=1000)]
    | Annotated[StrictInt, Field(ge=-(2**63), lt=2**63)]
)
_LABEL: TypeAdapter[str | int] = TypeAdapter(Label)


def is_label(user: Any) -> bool:
    """Return whether a request can hold this user."""
    try:
        _LABEL.validate_python(user)
    except ValidationError:
        return False
    return True


class Strict(BaseModel):
    """Unknown fields are errors, because a misspelt one would be ignored."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _few_fields(cls, given: Any) -> Any:
        """Refuse many fields at once, because each unknown one would be an error of its own."""
        if isinstance(given, dict) and len(given) > len(cls.model_fields) + MOST_UNKNOWN:
            raise ValueError(f"{len(given)} fields; known ones are {', '.join(cls.model_fields)}")
        return given


class Item(Strict):
    """A response to a prompt, for a user."""

    response: Text
    prompt: Text = ""
    user: Label | None = None


class Comparison(Strict):
    """Two responses to a prompt, for a user."""

    response_a: Text
    response_b: Text
    prompt: Text = ""
    user: Label | None = None


class Choice(Strict):
    """A comparison with its winner; a key counts once for its user."""

    response_a: Text
    response_b: Text
    winner: Literal["a", "b"]
    user: Label
    prompt: Text = ""
    key: Label | None = None


class RewardRequest(Strict):
    """Responses to be rewarded."""

    items: list[Item] = Field(min_length=1, max_length=MAX_ROWS)
    standardize: Literal["user", "population"] | None = None


class RankRequest(Strict):
    """Responses to be ranked within their user and prompt."""

    items: list[Item] = Field(min_length=1, max_length=MAX_ROWS)


class PredictRequest(Strict):
    """Comparisons whose winners are asked for."""

    comparisons: list[Comparison] = Field(min_length=1, max_length=MAX_ROWS)


class EnrollRequest(Strict):
    """Choices that users have made."""

    comparisons: list[Choice] = Field(min_length=1, max_length=MAX_ROWS)


class ForgetRequest(Strict):
    """Users to be forgotten."""

    users: list[Label] = Field(min_length=1, max_length=MAX_ROWS)


class UsersRequest(Strict):
    """Users of whom the known comparisons are counted; None: a list of known users."""

    users: list[Label] | None = Field(None, max_length=MAX_ROWS)


class Rewards(BaseModel):
    """A reward for each item."""

    rewards: list[float]


class Ranks(BaseModel):
    """A rank for each item, 1 for the best of its user and prompt."""

    ranks: list[int]


class Predictions(BaseModel):
    """The winner of each comparison, and the probability that it is b."""

    winners: list[Literal["a", "b"]]
    probability_b: list[float]


class Enrolled(BaseModel):
    """How many of the choices are new."""

    enrolled: int
    repeated: int


class Forgotten(BaseModel):
    """How many users are known afterwards."""

    known_users: int


class User(BaseModel):
    """A user and the number of known comparisons, by their weights; 0 if unknown."""

    user: Label
    comparisons: float


class Users(BaseModel):
    """Users in the order in which they were asked for."""

    users: list[User]


class Health(BaseModel):
    """Whether the service answers, and with what."""

    status: Literal["ok"]
    version: str
    known_users: int
