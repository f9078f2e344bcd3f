"""The card of a saved model: Markdown with the front matter that hubs read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reidkit.engine.sharing.facts import METRICS, Facts
from reidkit.version import __version__

README = "README.md"
NO_LICENCE = "The owner of these weights has stated no licence; ask before you use them."


def card(title: str, facts: Facts, also: str = "") -> str:
    """A model's card.

    Args:
        title: of the model.
        facts: what is known of it.
        also: which other libraries read the folder, a sentence.

    Example:
        >>> text = card("mine", Facts("ReIDModel: ResNet", (256, 128), 1000, licence="mit"))
        >>> print(text.splitlines()[1], "|", text.splitlines()[2])
        license: mit | library_name: reidkit
        >>> "not known" in text and "has not been tested" in text
        True
    """
    height, width = facts.size
    parts = [
        "\n".join(_front_matter(facts)),
        f"# {title}",
        "A person re-identification model: a crop of a person in, an embedding out; embeddings of "
        "one person are near each other.",
        f'```python\nimport reidkit\n\nextractor = reidkit.load("{title}")  # this folder, or '
        'hf://<owner>/<name>\nembedding = extractor(["a.jpg", "b.jpg"])\ndistances = '
        "extractor.matcher(embedding, embedding)  # smaller is closer\n```",
        f"| | |\n|---|---|\n| network | {facts.network} |\n| parameters | {facts.parameters:,} |\n"
        f"| input | RGB crops, resized to {height}x{width} |\n"
        f"| beside the crop | {', '.join(facts.labels) or 'nothing'} |\n"
        f"| trained on | {facts.trained_on or 'not known'} |\n"
        f"| training | {facts.recipe or 'not known'} |",
        "## Numbers",
        *_numbers(facts),
        "## Licence",
        f"{facts.licence}, as the owner of these weights states." if facts.licence else NO_LICENCE,
        "## How to cite",
        *_citations(facts),
    ]
    parts += ["## Other libraries", also] if also else []
    return "\n\n".join(parts) + "\n"


def _front_matter(facts: Facts) -> Iterator[str]:
    yield "---"
    if facts.licence:
        yield f"license: {facts.licence.lower()}"
    yield "library_name: reidkit"
    yield "pipeline_tag: image-feature-extraction"
    yield "tags:\n- person-re-identification\n- reidkit"
    yield "---"


def _numbers(facts: Facts) -> Iterator[str]:
    if not facts.tests:
        yield "This model has not been tested where it was saved."
        return
    names = [n for n in METRICS if any(n in one["metrics"] for one in facts.tests.values())]
    rows = [f"| test set | protocol | {' | '.join(names)} | queries | gallery | fingerprints |"]
    rows.append("|---" * (len(names) + 5) + "|")
    for test in facts.tests.values():
        cells = [_cell(test, name) for name in names]
        prints = "/".join(str(test.get(f"{s}_fingerprint", ""))[:8] for s in ("query", "gallery"))
        rows.append(
            f"| {test.get('data', '')} | {test.get('protocol', '')} | {' | '.join(cells)} | "
            f"{test.get('n_valid', '')} | {test.get('n_gallery', '')} | {prints} |"
        )
    yield "In percent; in brackets 95 % bootstrap intervals over queries."
    yield "\n".join(rows)
    thresholds = [row for test in facts.tests.values() for row in _thresholds(test)]
    if thresholds:
        head = "| test set | rate | threshold of the distance | what is accepted then |"
        yield "\n".join(
            ["Thresholds, chosen on the test set itself:\n", head, "|---" * 4 + "|", *thresholds]
        )


def _cell(test: dict[str, Any], name: str) -> str:
    if name not in test["metrics"]:
        return "-"
    value = f"{100 * test['metrics'][name]:.1f}"
    low_high = test.get("intervals", {}).get(name)
    return value if not low_high else f"{value} ({', '.join(f'{100 * v:.1f}' for v in low_high)})"


def _thresholds(test: dict[str, Any]) -> Iterator[str]:
    """Rows of the false-accept rates that a test's verification has."""
    for row in test.get("verification", {}).get("tar_at_far", []):
        if row.get("threshold") is not None and row.get("tar") is not None:
            yield (
                f"| {test.get('data', '')} | FAR {row['far']:g} | {row['threshold']:.4f} | "
                f"{100 * row['tar']:.1f} % of genuine pairs |"
            )


def _citations(facts: Facts) -> Iterator[str]:
    for title, arxiv in facts.papers:
        yield f"- {title}" + (f" (arXiv {arxiv})" if arxiv else "")
    yield f"- reidkit {__version__}"
    if facts.cite:
        yield f"```bibtex\n{facts.cite.strip()}\n```"
