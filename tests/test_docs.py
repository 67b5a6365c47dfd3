"""What the documentation says is so: examples run, links lead somewhere, and the pages become a site."""

import doctest
import importlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in (ROOT / "sgdr").rglob("*.py")
    if ">>>" in path.read_text()
)
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "experiments").rglob("README.md")),
]
FRAMEWORKS = ("torch", "keras", "braintools")


@pytest.mark.parametrize("module", MODULES)
def test_examples_print_what_they_say(module):
    for name in FRAMEWORKS:
        if module == f"sgdr.adapters.{name}":
            pytest.importorskip(name)
    tested = doctest.testmod(importlib.import_module(module))
    assert tested.attempted and not tested.failed


def test_the_page_of_public_names_is_up_to_date():
    pytest.importorskip("griffe")
    from experiments.api_page import page

    assert (ROOT / "docs" / "api.md").read_text() == page(), "run: python -m experiments.api_page"


def test_the_table_of_options_is_up_to_date():
    pytest.importorskip("griffe")
    from experiments.api_page import with_options

    text = (ROOT / "docs" / "searching.md").read_text()
    assert text == with_options(text), "run: python -m experiments.api_page"


def prose(path):
    """A page without its code."""
    return re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)


def anchors(path):
    """Where a link can lead within a page: the names that GitHub and the site give its headings."""
    titles = re.findall(r"^#+ (.*)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def test_the_readme_is_a_door():
    readme = (ROOT / "README.md").read_text()
    assert len(readme.encode()) <= 10_000
    assert (
        readme.index("make demo ") < readme.index("make test ") < readme.index("![") < readme.index("\n## ")
    )


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(path):
    for link in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`(?!\])", "", prose(path))):
        if re.match(r"https?://", link):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.is_relative_to(ROOT) and target.exists(), link
        assert not anchor or anchor in anchors(target), link


def built(root, site):
    """How the build of a checkout's pages ended. Without --quiet, under which a warning does not fail it."""
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", site],
        cwd=root,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.slow
def test_the_site_is_built_and_asks_no_other_host(tmp_path):
    pytest.importorskip("mkdocs")
    done = built(ROOT, tmp_path)
    assert done.returncode == 0, done.stderr
    pages = {str(page.relative_to(tmp_path)): page.read_text() for page in tmp_path.rglob("*.html")}
    assert {"index.html", "frameworks.html", "guides/index.html", "guides/basic.html"} <= set(pages)
    for text in pages.values():
        assert not re.search(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=\"?(?:https?:)?//", text)
    assert 'src="assets/mermaid.js"' in pages["architecture.html"]
    assert (tmp_path / "search" / "search_index.js").exists()
    for style in tmp_path.rglob("*.css"):
        assert not re.search(r"(?:url\(|@import )[\"']?(?:https?:)?//", style.read_text())


@pytest.mark.slow
@pytest.mark.parametrize("link", ["nowhere.md", "service.md#nowhere"])
def test_a_dead_link_fails_the_build(tmp_path, link):
    pytest.importorskip("mkdocs")
    for name in ("README.md", "mkdocs.yml"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("docs", "experiments"):
        shutil.copytree(ROOT / name, tmp_path / name)
    with (tmp_path / "docs" / "cluster.md").open("a") as page:
        page.write(f"\n[dead]({link})\n")
    done = built(tmp_path, tmp_path / "site")
    assert done.returncode == 1 and "nowhere" in done.stderr
