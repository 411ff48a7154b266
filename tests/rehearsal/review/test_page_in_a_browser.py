"""The page in a real browser: everything is seen, all of it fits, and no other host is asked for anything."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from rehearsal.review.page import page
from rehearsal.review.report import Report
from tests.rehearsal.review.pages import of_a_change, of_everything

NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "chromium-headless-shell",
    "chrome-headless-shell",
    "headless_shell",
)
BROWSER = os.environ.get("CHROME") or next((found for name in NAMES if (found := shutil.which(name))), "")

pytestmark = pytest.mark.skipif(not BROWSER, reason="no Chromium on PATH and none named in CHROME")

MEASURE = """
<iframe id="page" style="width:%WIDTH%px;height:2000px;border:0" srcdoc="%PAGE%"></iframe><pre id="seen"></pre>
<script>
document.getElementById("page").addEventListener("load", () => {
  const inner = document.getElementById("page").contentDocument;
  const size = each => { const r = each.getBoundingClientRect(); return [r.width, r.height]; };
  const place = each => { const r = each.getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom]; };
  const texts = [...inner.querySelectorAll("svg g > text")].filter(each => each.previousElementSibling);
  const seen = {
    title: inner.title,
    banner: size(inner.querySelector("#verdict")),
    verdict: inner.querySelector("#verdict").innerText,
    background: inner.defaultView.getComputedStyle(inner.querySelector("#verdict")).backgroundColor,
    tables: [...inner.querySelectorAll(":not(details) > .table table")].map(size),
    cut: [...inner.querySelectorAll(".table")].filter(each => each.scrollWidth > each.clientWidth + 1)
      .map(each => each.querySelector("tr").innerText),
    pictures: [...inner.querySelectorAll("svg")].map(size),
    drawn: [...inner.querySelectorAll("svg text")].map(each => each.textContent),
    outside: texts.filter(each => {
      const box = each.parentElement.querySelector("rect.box");
      if (!box) return false;
      const [a, b, c, d] = place(each), [left, top, right, bottom] = place(box);
      return a < left || b < top - 1 || c > right || d > bottom + 1;
    }).map(each => each.textContent),
    wide: inner.documentElement.scrollWidth - inner.documentElement.clientWidth,
    scripts: inner.querySelectorAll("script").length,
  };
  document.getElementById("seen").textContent = JSON.stringify(seen);
});
</script>
"""


def browse(path: Path, *options: str) -> tuple[str, list[str]]:
    """Open a file; return the document as it stands then, and every address that was asked for."""
    log = path.parent / "net.json"
    done = subprocess.run(  # noqa: S603 - the system's browser
        [
            BROWSER,
            "--headless",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
            "--no-first-run",
            *(["--no-sandbox"] if os.geteuid() == 0 else []),
            f"--user-data-dir={path.parent / 'profile'}",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            "--proxy-server=http://127.0.0.1:9",
            f"--log-net-log={log}",
            "--net-log-capture-mode=IncludeSensitive",
            "--virtual-time-budget=5000",
            *options,
            "--dump-dom",
            path.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    text = log.read_text(encoding="utf-8", errors="replace")
    asked = set(re.findall(r'"url":"([^"]+)"', text))
    return done.stdout, sorted(address for address in asked if not address.startswith(("file:", "data:", "about:")))


def opened(tmp_path: Path, text: str, name: str = "page.html") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def measured(tmp_path: Path, report: Report, width: int = 1200, *options: str) -> dict[str, Any]:
    """Return what a reader of the page sees at a width."""
    harness = MEASURE.replace("%WIDTH%", str(width)).replace("%PAGE%", html.escape(page(report)))
    document, _ = browse(opened(tmp_path, f"<!DOCTYPE html><meta charset=utf-8>{harness}", "harness.html"), *options)
    match = re.search(r'<pre id="seen">(.*?)</pre>', document, re.DOTALL)
    assert match
    seen: dict[str, Any] = json.loads(html.unescape(match[1]))
    return seen


def test_verdict_tables_and_picture_are_seen_and_every_text_lies_in_its_box(tmp_path: Path) -> None:
    report = of_a_change()
    seen = measured(tmp_path, report)
    assert report.verdict.upper() in seen["verdict"].upper()
    assert report.reason in seen["verdict"]
    assert min(seen["banner"]) > 40
    assert seen["tables"]
    assert all(min(size) > 10 for size in seen["tables"])
    assert not seen["cut"], "what a property was and becomes is seen without scrolling sideways"
    ((wide, high),) = seen["pictures"]
    assert wide > 600
    assert high > 300
    assert {"inference-prod", "h200-nodes", "rdma-roce", "8 NICs", "1 group → 2 groups of 2 pods"} <= set(seen["drawn"])
    assert not seen["outside"]
    assert seen["wide"] <= 0


def test_on_a_phone_only_the_picture_and_the_tables_are_scrolled_sideways(tmp_path: Path) -> None:
    seen = measured(tmp_path, of_a_change(), 390)
    assert seen["wide"] <= 0
    assert not seen["outside"]


def test_no_other_host_is_asked_for_anything(tmp_path: Path) -> None:
    for number, report in enumerate((of_a_change(), of_everything())):
        document, asked = browse(opened(tmp_path, page(report), f"page-{number}.html"))
        assert "</footer>" in document
        assert not asked


def test_a_page_that_asked_would_be_caught(tmp_path: Path) -> None:
    _, asked = browse(opened(tmp_path, '<img src="http://asked.example/a.png">'))
    assert "http://asked.example/a.png" in asked


def test_what_a_name_contains_is_shown_and_not_run(tmp_path: Path) -> None:
    seen = measured(tmp_path, of_everything())
    assert seen["scripts"] == 0
    assert seen["title"] != "taken"
    assert "<script>" in seen["title"]


def test_the_page_follows_a_dark_theme(tmp_path: Path) -> None:
    light = measured(tmp_path, of_a_change(), 800, "--blink-settings=preferredColorScheme=1")
    dark = measured(tmp_path, of_a_change(), 800, "--blink-settings=preferredColorScheme=0")
    assert light["background"] != dark["background"]
