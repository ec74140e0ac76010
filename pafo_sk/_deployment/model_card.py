"""ModelCard: what a fitted model is, whom it serves how well, and what to be careful about."""

from __future__ import annotations

import html
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pafo_sk._blocks import Block, blocks_html, blocks_markdown, escaped
from pafo_sk._comparisons.whole_file import whole_file
from pafo_sk._deployment.file_format import encoder_name
from pafo_sk._version import __version__

METHODS = {
    "pafo": "One personalised reward model, taught by a specialist for each preference group. It "
    "reads a user's known comparisons, and asks for no group.",
    "pooled": "One reward model for everybody, trained on all comparisons.",
    "balanced": "One reward model for everybody, in whose training groups count equally.",
    "group_dro": "One reward model for everybody, trained for the group that is served worst.",
}
LIMITS = [
    "Rewards order responses; only differences within one user and prompt have a meaning.",
    "The accuracies are those of comparisons like the ones in training. Other prompts, other users "
    "or a policy that exploits mistakes of the rewards can be served worse.",
    "On a pair that two groups judge oppositely, a user without known comparisons gets the common "
    "answer.",
    "Accuracy for a group is not consent of the group.",
]


@dataclass(frozen=True)
class ModelCard:
    """A model card, as Markdown and as HTML; made by ``model_card``.

    Attributes
    ----------
    metadata : dict
        Fields of the header, such as license and base_model.
    sections : list of (heading, blocks)
        A block is a paragraph, a list of points, or a table.
    """

    metadata: dict[str, Any]
    sections: list[tuple[str, list[Block]]]

    def __str__(self) -> str:
        lines = ["---"]
        for name, value in self.metadata.items():
            if isinstance(value, list):
                lines += [f"{name}:", *(f"- {_quoted(one)}" for one in value)]
            else:
                lines.append(f"{name}: {_quoted(value)}")
        lines.append("---")
        for level, (heading, blocks) in enumerate(self.sections):
            lines += ["", f"{'##' if level else '#'} {escaped(heading)}"]
            lines += blocks_markdown(blocks)
        return "\n".join(lines) + "\n"

    def _repr_html_(self) -> str:
        return self.to_html()

    def to_html(self) -> str:
        """The card in HTML, with all texts escaped.

        Returns
        -------
        str
            An ``article`` for a page; the header is left out.
        """
        parts = []
        for level, (heading, blocks) in enumerate(self.sections):
            tag = "h2" if level else "h1"
            parts.append(f"<{tag}>{html.escape(heading)}</{tag}>")
            parts.append(blocks_html(blocks))
        return f'<article class="pafo-model-card">{"".join(parts)}</article>'

    def save(self, path: Any) -> None:
        """Write Markdown, or HTML where the name ends in ".html"."""
        file = Path(path)
        page = file.suffix in (".html", ".htm")
        with whole_file(file) as part:
            part.write_text(self.to_html() if page else str(self), encoding="utf-8")


def card_of(estimator: Any, license: str) -> ModelCard:
    """The card of a fitted estimator."""
    reader = estimator.reader_
    info = reader.encoder_info_ if reader.form_ == "text" else None
    metadata: dict[str, Any] = {"library_name": "pafo_sk", "license": license}
    if info is not None:
        metadata["base_model"] = encoder_name(info["name"], info)
    metadata["tags"] = ["reward-model", "preference-learning", "fairness", "personalisation"]
    sections: list[tuple[str, list[Block]]] = [
        ("Reward model", [METHODS[estimator.strategy], _facts(estimator, info)])
    ]
    if (report := estimator.pareto_report_) is not None:
        sections.append(("Whom it serves how well", of_groups(estimator, report)))
    if (by_length := estimator.history_report_) is not None:
        text = (
            "Accuracy on held-out comparisons by the number of a user's known comparisons "
            "that were drawn. Those that are linked to the one in question are left out."
        )
        sections.append(("How much it needs to know", [text, _lengths(by_length)]))
    sections.append(("What it infers about users", _inferences(estimator)))
    sections.append(("Limits", [LIMITS]))
    licences = [
        f"Licence of this model: {license}. It depends on the licences of the comparisons and of "
        "the encoder; the library itself is under the BSD licence (3 clauses).",
        f"Made with pafo_sk {__version__}, an independent implementation of the idea of PAFO "
        "(arXiv:2606.07988).",
    ]
    sections.append(("Licence and origin", [licences]))
    return ModelCard(metadata, sections)


def _facts(estimator: Any, info: dict[str, Any] | None) -> pd.DataFrame:
    """Sizes, encoder and parameters."""
    counts = estimator.known_users_
    rows = {"comparisons known of users": f"{counts.sum():,.0f}", "known users": f"{len(counts):,}"}
    report = estimator.pareto_report_
    if report is not None:
        n_comparisons = f"{report['n_comparisons'].sum():,.0f}"
        rows["held-out comparisons judged"] = n_comparisons
    if estimator.groups_ is not None:
        source = estimator.groups_source_
        rows["groups"] = f"{len(estimator.groups_)}, from {source}"
        rows["largest group"] = str(estimator.majority_)
    if info is None:
        rows["input"] = f"vectors of {estimator.n_features_in_} numbers"
    else:
        layers = info["layers"]
        rows["encoder"] = f"{encoder_name(info['name'], info)}, fingerprint {info['fingerprint']}"
        rows["layers"] = layers if isinstance(layers, str) else ", ".join(map(str, layers))
        rows["dimension"] = str(info["dimension"])
    rows["labels"] = f"{estimator.pos_label_!r} means that response_b won"
    return pd.DataFrame({"property": list(rows), "value": list(rows.values())})


def of_groups(estimator: Any, report: pd.DataFrame) -> list[Block]:
    """The Pareto report, in words and as a table."""
    gains = zip(*(report[f"unified_{end}"] for end in ("gain", "low", "high")), strict=True)
    table = pd.DataFrame(
        {
            "group": [str(name) for name in report.index],
            "comparisons": [f"{n:g}" for n in report["n_comparisons"]],
            "pooled model": [_percent(value) for value in report["pooled"]],
            "this model": [_percent(value) for value in report["unified"]],
            "gain, with 95 % interval": [_gain(*gain) for gain in gains],
        }
    )
    if "reads_as" in report:
        table["reads as"] = report["reads_as"].tolist()
    equally = ""
    if "n_users" in report:
        equally = "; users count equally"
        table.insert(1, "users", report["n_users"].astype(str).tolist())
    status = str(estimator.pareto_status_)
    return [
        f"Share of held-out comparisons whose winner is predicted rightly{equally}.",
        table,
        f"In short: {status}.",
    ]


def _lengths(by_length: pd.DataFrame) -> pd.DataFrame:
    """One row per group, one column per length."""
    names = list(dict.fromkeys(by_length.index.get_level_values(0)))
    lengths = list(dict.fromkeys(by_length.index.get_level_values(1)))
    accuracy = dict(zip(by_length.index.tolist(), by_length["unified"], strict=True))
    columns = {"group": [str(name) for name in names]}
    for length in lengths:
        cells = [accuracy.get((name, length), np.nan) for name in names]
        columns[str(length)] = [_percent(cell) for cell in cells]
    return pd.DataFrame(columns)


def _inferences(estimator: Any) -> list[Block]:
    """What the histories hold, and what can be read from them."""
    if not estimator.reader_.has_users_:
        return ["It keeps nothing about users, and serves everybody alike."]
    text = (
        "For every known user it keeps sums over the user's comparisons, under the user's "
        "identifier. Treat the model as personal data."
    )
    if not getattr(estimator.model_.module, "personal", False):
        return [text, "Its rewards do not read them: they are the same for everybody."]
    module = estimator.model_.module
    points = [
        "From these sums it infers which of the trained tastes a user's answers resemble"
        f"{_number(getattr(module, 'n_prototypes', None), 'prototypes')}, and where the user "
        f"stands along directions of taste{_number(getattr(module, 'n_directions', None), '')}.",
        "Where groups follow age, origin, religion or opinion, that inference can stand in for "
        "them, also for people who never told.",
        "forget(users) erases users; what the weights learned from them remains until another fit.",
    ]
    return [text, points]


def _number(n: int | None, what: str) -> str:
    return "" if n is None else f" ({n} {what}".rstrip() + ")"


def _percent(share: float) -> str:
    return "unknown" if np.isnan(share) else f"{100 * share:.1f} %"


def _gain(mean: float, low: float, high: float) -> str:
    limits = f" ({100 * low:+.1f} to {100 * high:+.1f})" if np.isfinite(low) else ""
    return f"{100 * mean:+.1f} points{limits}"


def _quoted(value: str) -> str:
    """A string of YAML; quoted unless it is made of letters, digits and hyphens."""
    plain = value.replace("-", "").replace("_", "").isalnum() and not value[0].isdigit()
    escaped_value = value.replace("\\", "\\\\").replace('"', '\\"')
    return value if plain and value.isascii() else f'"{escaped_value}"'
