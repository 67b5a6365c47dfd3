"""Hooks of MkDocs: what lies outside docs/ becomes pages of the site too, and Mermaid comes with it."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
EXPERIMENTS = (
    "experiments/paper/README.md",
    "experiments/parity/README.md",
    "experiments/parity/points.csv",
)
MERMAID = "assets/mermaid.js"


def on_files(files: Files, *, config: Any) -> Files:
    """Adds the README as the front page, the experiments' pages, the guides' code, and Mermaid's script."""
    files.append(File.generated(config, "index.md", content=(ROOT / "README.md").read_text()))
    for name in EXPERIMENTS:
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    for path in sorted((ROOT / "docs" / "guides").glob("*.py")):
        page = f"# {path.name}\n\n```python\n{path.read_text()}```\n"
        files.append(File.generated(config, f"guides/{path.stem}.md", content=page))
    # The package carries Mermaid's own script, which the theme would load from another host.
    package = importlib.util.find_spec("mermaidx")
    assert package is not None and package.origin is not None, "the extra docs is not installed"
    script = Path(package.origin).parent / "assets" / "mermaid.js"
    files.append(File.generated(config, MERMAID, abs_src_path=str(script)))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Turns links between folders of the repository into links between pages of the site."""
    uri = page.file.src_uri
    if uri == "index.md":
        return markdown.replace("](docs/", "](")
    if uri == "guides/README.md":
        return re.sub(r"\]\((\w+)\.py\)", r"](\1.md)", markdown)
    markdown = markdown.replace("](../experiments/", "](experiments/")
    return re.sub(r"\]\(guides/(\w+)\.py\)", r"](guides/\1.md)", markdown)


def on_page_content(html: str, *, page: Any, **_: Any) -> str:
    """Loads Mermaid where a page has a picture of it: the script is large."""
    if 'class="mermaid"' not in html:
        return html
    return f'<script src="{"../" * page.file.src_uri.count("/")}{MERMAID}"></script>\n{html}'
