"""Takes the pictures of the dashboard that docs/service.md shows, of a sweep that it makes.

python -m experiments.pictures --into docs
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import Page, ViewportSize

from experiments.bench.service.server import serving
from experiments.browser import chromium

STUDY = "digits"
SIZE = ViewportSize(width=1280, height=860)
SCHEDULES = (
    "base_lr:0.1,T_0:10,T_mult:2,eta_min:0.0001,name:restarts",
    "base_lr:0.1,T_0:70,T_mult:1,eta_min:0.0001,name:one cycle",
    "base_lr:0.1,T_0:14,T_mult:1,eta_min:0.0001,peak_decay:0.8,name:decaying peaks",
)
LINES = "() => [...document.querySelectorAll('.plot')].some(plot => plot.data?.length)"


def main() -> None:
    """Sweeps, serves, and takes them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--into", type=Path, default=Path("docs"), help="the folder")
    parser.add_argument("--trials", type=int, default=128, help="of the sweep")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        storage = f"sqlite:///{folder}/pictures.db"
        command = ["sweep", "--workload", "digits", "--study", STUDY, "--confirm", "--storage", storage]
        subprocess.run([sys.executable, "-m", "sgdr", *command, "--trials", str(args.trials)], check=True)
        with serving(storage) as server, chromium() as browser:
            page = browser.new_context(viewport=SIZE).new_page()
            schedules = "&".join(f"schedule={quote(schedule, safe=':,')}" for schedule in SCHEDULES)
            _take(page, f"{server.url}/dashboard/study/{STUDY}", None, args.into / "dashboard-study.png")
            _take(page, f"{server.url}/dashboard/study/{STUDY}", "Arms", args.into / "dashboard-arms.png")
            explorer = f"{server.url}/dashboard/explorer?budget=70&{schedules}"
            _take(page, explorer, None, args.into / "dashboard-explorer.png")


def _take(page: Page, url: str, tab: str | None, path: Path) -> None:
    page.goto(url)
    if tab is not None:
        page.get_by_role("tab", name=tab).click()
    page.wait_for_function(LINES)
    page.mouse.move(0, 0)
    page.wait_for_timeout(2000)  # for what follows the first figure
    page.screenshot(path=path)
    print(path)


if __name__ == "__main__":
    main()
