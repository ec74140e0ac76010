"""Preferences between short texts of our own, written in styles that groups like or dislike."""

from collections.abc import Sequence
from itertools import product
from numbers import Integral, Real

import numpy as np
import pandas as pd
from sklearn.utils import Bunch, check_random_state

from pafo_sk._sklearn_compat import Interval, validate_params
from pafo_sk.datasets._bunch import text_bunch
from pafo_sk.datasets._users import assign_groups

_DESCR = """\
Made text preferences

Source: pafo_sk.datasets.make_text_preferences, from word lists written for it; no licence needed.
Rows: each prompt has twelve responses, three in each of four styles: formal or casual tone, terse
or elaborated. A comparison is between two styles. Tone counts twice as much as length:
{tastes}.
So two groups may agree on the length, and label pairs of different tone oppositely. Each label is
flipped with probability {noise}.
"""

# Utility, for each group, of (formal rather than casual, elaborated rather than terse).
_TASTES = np.array([(2, 1), (-2, 1), (2, -1), (-2, -1)])
_STYLES = np.array([(1, 0), (1, 1), (0, 0), (0, 1)])  # (formal, elaborated)
_N_VARIANTS = 3

_TOPICS = """
learn the guitar|practise a few minutes a day|start with three simple chords|record yourself weekly
bake bread at home|weigh the flour|let the dough rest overnight|preheat the oven fully
run my first race|increase the distance slowly|rest two days a week|choose well-fitting shoes
save money each month|write down every expense|cancel unused subscriptions|set aside a fixed sum
learn a new language|review vocabulary daily|listen to radio programmes|speak with a native speaker
grow tomatoes|give them six hours of sun|water the roots in the morning|tie the stems to stakes
prepare for an interview|study the company|rehearse your answers aloud|prepare two questions to ask
sleep better|keep a regular bedtime|put the phone away early|darken the bedroom
paint a room|cover the floor|sand the walls lightly|apply two thin coats
train a puppy|reward good behaviour at once|keep the sessions short|repeat each command daily
write a short story|begin with one strong scene|cut needless adjectives|read the draft aloud
take better photographs|look for soft light|steady the camera|move closer to the subject
plan a holiday|compare fares early|leave one day free|pack a light bag
cook rice properly|rinse the grains first|measure the water|leave the lid closed
repair a bicycle tyre|remove the wheel|find the hole in water|roughen the rubber before patching
give a speech|open with a brief example|pause between points|look at the back row
read more books|carry a paperback everywhere|read before bed|abandon dull titles
keep houseplants alive|check the soil before watering|turn the pots weekly|dust the leaves
make good coffee|grind the beans freshly|use water just off the boil|clean the machine weekly
learn to swim|practise breathing out under water|float on your back|take a few lessons
organise my desk|sort the papers once|label the drawers|clear the surface every evening
start meditating|sit still for five minutes|count your breaths|choose the same hour each day
reduce food waste|plan the meals ahead|freeze the leftovers|store herbs in water
play chess well|control the centre|develop every piece|analyse the lost games
write a clear email|state the request first|use short paragraphs|check the names twice
"""
_PROMPTS = (
    "How can I {topic}?",
    "I want to {topic}. Where do I start?",
    "What helps somebody to {topic}?",
    "Any advice? I have to {topic}.",
)
_OPENINGS = {
    1: (
        "It is advisable to {0}.",
        "The recommended procedure is to {0}.",
        "One would be well advised to {0}.",
        "In the first instance, it is necessary to {0}.",
    ),
    0: (
        "Oh, just {0}, easy!",
        "Hey, no worries, {0} and you're good.",
        "Honestly? {0}, works like a charm!",
        "Haha, been there! Gotta {0}, buddy.",
    ),
}
_ELABORATIONS = {
    1: (
        " Furthermore, it is prudent to {1}, and one should subsequently {2}. Consistent "
        "observance of these measures ordinarily yields satisfactory results.",
        " In addition, one ought to {1}; thereafter it is essential to {2}. Adherence to this "
        "sequence is regarded as the most reliable method.",
        " Moreover, specialists consistently recommend that one {1} and, where circumstances "
        "permit, {2}. Patience is required, as improvement is gradual.",
        " It is likewise appropriate to {1}, and finally to {2}. Each of these steps contributes "
        "substantially to the desired outcome.",
    ),
    0: (
        " Then {1}, and yeah, {2} too. Seriously, you'll be fine, just have fun with it and don't "
        "sweat the small stuff!",
        " Oh and {1}, that's a biggie! After that {2} and chill, it kinda sorts itself out, pinky "
        "promise.",
        " Plus, {1} if you feel like it, and {2} 'cause why not. It's gonna be awesome, can't wait "
        "to hear how it goes!",
        " Also {1}, trust me on that one, and maybe {2} while you're at it. You've totally got "
        "this, go for it!",
    ),
}


@validate_params(
    {
        "n_users": [Interval(Integral, 1, None, closed="left")],
        "n_comparisons": [Interval(Integral, 1, None, closed="left")],
        "group_shares": ["array-like"],
        "noise": [Interval(Real, 0, 1, closed="both")],
        "n_prompts": [Interval(Integral, 1, 100, closed="both")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_text_preferences(
    n_users: int = 60,
    n_comparisons: int = 20,
    *,
    group_shares: Sequence[float] = (0.75, 0.25),
    noise: float = 0.1,
    n_prompts: int = 60,
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    """Make comparisons of short texts by groups of users who like opposite styles.

    The responses to a prompt give the same advice in a formal or a casual tone, tersely or
    elaborated. Groups 0 and 1 like different tones, and both like elaborated responses. Groups 2
    and 3, if there are any, like the tones of 0 and 1 but terse responses.

    Parameters
    ----------
    n_users : int, default=60
        Number of users.
    n_comparisons : int, default=20
        Number of comparisons of each user.
    group_shares : array-like of float, default=(0.75, 0.25)
        Share of the users in each of one to four groups; they sum to 1.
    noise : float, default=0.1
        Probability that the label of a row is flipped.
    n_prompts : int, default=60
        Number of prompts, at most 100, which all users share. Each has twelve different responses,
        and no response answers two prompts.
    random_state : int, RandomState instance or None, default=None
        Determines the comparisons, the flipped labels, the sides and the order of rows.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Rows in random order.

        frame : DataFrame
            All below, and `prompt_index`, `winner_style` and `loser_style` (such as "formal
            terse", before the noise) and `y_clean` (before the noise).
        X : DataFrame
            Columns `prompt`, `response_a`, `response_b`, `user`.
        y : ndarray of int
            0: `response_a` won; 1: `response_b` won.
        groups, users : ndarray
            Group ("group_0", ...) and user (int) of each row.
        DESCR : str
            How the rows were made.

    Raises
    ------
    ValueError
        If a parameter has a wrong value.

    See Also
    --------
    make_preferences : The same with vectors.

    Examples
    --------
    >>> from pafo_sk.datasets import make_text_preferences
    >>> data = make_text_preferences(n_users=8, n_comparisons=5, random_state=0)
    >>> data.X.columns.to_list(), len(data.X)
    (['prompt', 'response_a', 'response_b', 'user'], 40)
    >>> data.frame.groupby("group")["user"].nunique().to_dict()
    {'group_0': 6, 'group_1': 2}
    """
    rng = check_random_state(random_state)
    if len(group_shares) > len(_TASTES):
        raise ValueError(
            f"group_shares has {len(group_shares)} groups; there are tastes for {len(_TASTES)}."
        )
    group_of = assign_groups(rng, n_users, group_shares)
    prompts, responses = _write(n_prompts)
    utility = _TASTES @ _STYLES.T

    user = np.repeat(np.arange(n_users), n_comparisons)
    prompt = rng.randint(n_prompts, size=len(user))
    one = rng.randint(len(_STYLES), size=len(user))
    two = (one + 1 + rng.randint(len(_STYLES) - 1, size=len(user))) % len(_STYLES)
    group = group_of[user]
    winner, loser = np.where(utility[group, one] > utility[group, two], [one, two], [two, one])
    variant = rng.randint(_N_VARIANTS, size=(2, len(user)))

    names = np.array([f"{_tone(s)} {_length(s)}" for s in _STYLES], dtype=object)
    frame = pd.DataFrame(
        {
            "prompt": prompts[prompt],
            "winner": responses[prompt, winner, variant[0]],
            "loser": responses[prompt, loser, variant[1]],
            "user": user,
            "group": np.array([f"group_{k}" for k in range(len(_TASTES))], dtype=object)[group],
            "prompt_index": prompt,
            "winner_style": names[winner],
            "loser_style": names[loser],
        }
    )
    tastes = "; ".join(
        f"group_{k} likes {_tone(taste > 0)} and {_length(taste > 0)} responses"
        for k, taste in enumerate(_TASTES[: len(group_shares)])
    )
    return text_bunch(frame, rng=rng, descr=_DESCR.format(tastes=tastes, noise=noise), noise=noise)


def _tone(style: np.ndarray) -> str:
    """Name the tone of a style, or the tone that a taste likes."""
    return "formal" if style[0] else "casual"


def _length(style: np.ndarray) -> str:
    """Name the length of a style, or the length that a taste likes."""
    return "elaborated" if style[1] else "terse"


def _write(n_prompts: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the prompts, and the responses as an array (prompt, style, variant)."""
    topics = [line.split("|") for line in _TOPICS.strip().splitlines()]
    prompts = np.empty(n_prompts, dtype=object)
    responses = np.empty((n_prompts, len(_STYLES), _N_VARIANTS), dtype=object)
    for number in range(n_prompts):
        wording, topic = divmod(number, len(topics))
        name, *tips = topics[topic]
        prompts[number] = _PROMPTS[wording].format(topic=name)
        for (style, (formal, long)), variant in product(enumerate(_STYLES), range(_N_VARIANTS)):
            turned = tips[variant:] + tips[:variant]
            phrase = (wording + variant) % len(_OPENINGS[formal])
            text = _OPENINGS[formal][phrase] + _ELABORATIONS[formal][phrase] * long
            responses[number, style, variant] = text.format(*turned)
    return prompts, responses
