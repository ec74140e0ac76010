"""Links of pages that are read in the repository and on the site."""

import pytest
from repository_pages import ADOPTED, DOCS, ROOT, site_text


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("[data](data.md#groups)", "[data](/data.md#groups)"),
        ("[here](#groups)", "[here](#groups)"),
        ("[all](../examples)", "[all](/auto_examples/index.rst)"),
        ("[tour](../examples/quickstart.py)", "[tour](/auto_examples/quickstart.rst)"),
        ("[log](../CHANGELOG.md)", "[log](/changes.md)"),
        ("[code](../pafo_sk/_estimator.py)", "code"),
        ("[paper](https://arxiv.org/abs/2606.07988)", "[paper](https://arxiv.org/abs/2606.07988)"),
        ("```python\nfind[0](1)\n```", "```python\nfind[0](1)\n```"),
        ("<!-- site\n:::{toctree}\n:::\n-->", ":::{toctree}\n:::\n"),
    ],
)
def test_links_lead_to_pages_of_the_site(link, expected):
    assert site_text(link, DOCS / "index.md", DOCS / "index.md") == expected


def test_links_of_a_file_of_the_root_start_there():
    origin, page = ROOT / "CONTRIBUTING.md", DOCS / "contributing.md"
    assert site_text("[m](docs/method.md)", origin, page) == "[m](/method.md)"
    image = "![s](benchmarks/results/scale.png)"
    assert site_text(image, origin, page) == "![s](../benchmarks/results/scale.png)"


def test_adopted_files_and_their_pages_exist():
    assert all(file.is_file() and (DOCS / f"{page}.md").is_file() for page, file in ADOPTED.items())
