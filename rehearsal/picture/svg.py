"""A picture as SVG: one file with its own colors for light and dark, no script, nothing fetched from elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from html import escape

from rehearsal.picture.bounds import bounded
from rehearsal.picture.graph import Kind, Mark, Topology, Way
from rehearsal.picture.layout import BADGE, SMALL, Box, Path, arranged, badge_width
from rehearsal.picture.lettering import width as width_of

__all__ = ["MARKS", "described", "readable", "svg"]

_MARGIN = 16.0
_HEAD = 34.0
"""Height of title and legend."""
_MOST_BOXES = 160
_LADDER = ((14, 9), (10, 9), (6, 9), (4, 8), (2, 8), (1, 6))
"""Boxes of a kind in one place, and lines in a box: the first pair that keeps to the bound is used."""

MARKS = {
    Mark.CREATE: "+ create",
    Mark.UPDATE: "~ update",
    Mark.REPLACE: "± replace",
    Mark.DELETE: "− delete",
}
"""How a legend names each mark."""

_STYLE = """
.gi{font-family:"Helvetica Neue",Helvetica,Arial,"Liberation Sans",sans-serif;
--bg:#ffffff;--ink:#1f2328;--dim:#59636e;--way:#7a8490;--req:#eef4fd;--req-b:#9cbcec;--clu:#f6f8fa;--clu-b:#c5cdd6;
--poo:#ffffff;--poo-b:#b4bec9;--mod:#f3effc;--mod-b:#c0aee8;--vpc:#edf7f5;--vpc-b:#93c8bf;--sub:#ffffff;--sub-b:#b9d9d3;
--new:#1a7f37;--upd:#9a6700;--rep:#bc4c00;--del:#cf222e;--on:#ffffff}
@media (prefers-color-scheme:dark){.gi{--bg:#0d1117;--ink:#e6edf3;--dim:#9aa4af;--way:#7d8792;--req:#131e30;
--req-b:#365888;--clu:#12171e;--clu-b:#3b444f;--poo:#0d1117;--poo-b:#46505b;--mod:#1f1930;--mod-b:#5d4b8a;--vpc:#0f211f;
--vpc-b:#2d615a;--sub:#0d1117;--sub-b:#2a4f4a;--new:#3fb950;--upd:#d29922;--rep:#f0883e;--del:#f85149;--on:#0d1117}}
.gi text{fill:var(--dim)}.gi .title{font-weight:700;fill:var(--ink)}.gi .changed{font-weight:700;fill:var(--upd)}
.gi .kind,.gi .label{fill:var(--dim)}.gi .label{text-anchor:end;paint-order:stroke;stroke:var(--bg);stroke-width:4px;
stroke-linejoin:round}.gi .head{font-weight:700;fill:var(--ink)}
.gi rect{stroke-width:1.2}.gi .out{stroke-dasharray:4 3}.gi .sheet{fill:var(--bg);stroke:none}
.gi .req{fill:var(--req);stroke:var(--req-b)}.gi .clu{fill:var(--clu);stroke:var(--clu-b)}
.gi .poo{fill:var(--poo);stroke:var(--poo-b)}.gi .mod{fill:var(--mod);stroke:var(--mod-b)}
.gi .vpc{fill:var(--vpc);stroke:var(--vpc-b)}.gi .sub{fill:var(--sub);stroke:var(--sub-b)}
.gi .way{fill:none;stroke:var(--way);stroke-width:1.4}.gi .tip{fill:var(--way)}.gi .nic{stroke-dasharray:2 3}
.gi .create rect.box{stroke:var(--new)}.gi .update rect.box{stroke:var(--upd)}.gi .replace rect.box{stroke:var(--rep)}
.gi .delete rect.box{stroke:var(--del);stroke-dasharray:5 3}.gi .marked rect.box{stroke-width:2.2}
.gi .delete .title{text-decoration:line-through}
.gi .create .way{stroke:var(--new)}.gi .update .way{stroke:var(--upd)}.gi .delete .way{stroke:var(--del)}
.gi .create .tip{fill:var(--new)}.gi .update .tip{fill:var(--upd)}.gi .delete .tip{fill:var(--del)}
.gi .create .label{fill:var(--new)}.gi .update .label{fill:var(--upd)}.gi .delete .label{fill:var(--del)}
.gi .badge{stroke:none}.gi .create .badge{fill:var(--new)}.gi .update .badge{fill:var(--upd)}
.gi .replace .badge{fill:var(--rep)}.gi .delete .badge{fill:var(--del)}
.gi text.op{fill:var(--on);font-weight:700;text-anchor:middle}
""".strip().replace("\n", "")

_CLASSES = {
    Kind.GATEWAY: "req",
    Kind.ROUTE: "req",
    Kind.BACKEND: "req",
    Kind.CLUSTER: "clu",
    Kind.POOL: "poo",
    Kind.MODEL: "mod",
    Kind.VPC: "vpc",
    Kind.SUBNET: "sub",
}


def svg(picture: Topology, title: str) -> str:
    """Return a picture as SVG."""
    shown = readable(picture)
    layout = arranged(shown)
    legend = [mark for mark in shown.marks if mark in MARKS]
    wide = max(layout.width, width_of(title, 14, bold=True) + _legend_width(legend) + 24) + 2 * _MARGIN
    high = layout.height + _HEAD + 2 * _MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="gi" role="img" {_sized(wide, high)}>',
        f"<title>{_text(title)}</title><desc>{_text(described(picture))}</desc><style>{_STYLE}</style>",
        f'<rect class="sheet" width="{wide:g}" height="{high:g}" rx="8"/>',
        f'<text class="head" x="{_MARGIN:g}" y="{_MARGIN + 14:g}" font-size="14">{_text(title)}</text>',
        *_legend(legend, wide - _MARGIN, _MARGIN + 3),
        f'<g transform="translate({_MARGIN:g} {_MARGIN + _HEAD:g})">',
        *(_drawn(box) for box in layout.boxes),
        *(_way(path) for path in layout.paths),
        "</g></svg>",
    ]
    return "\n".join(parts) + "\n"


def readable(picture: Topology) -> Topology:
    """Return a picture with no more boxes than a reader takes in."""
    for siblings, lines in _LADDER:
        shown = bounded(picture, siblings, lines)
        if len(shown.nodes) <= _MOST_BOXES:
            break
    return shown


def described(picture: Topology) -> str:
    """Return in a sentence what a picture shows."""
    if not picture.nodes:
        return "Nothing that a picture would show."
    counts = Counter(node.kind for node in picture.nodes)
    told = [f"{counts[kind]:,} {kind.value}{'s' if counts[kind] > 1 else ''}" for kind in Kind if counts[kind]]
    marks = Counter(node.mark for node in picture.nodes)
    done = [f"{marks[mark]:,} to {mark.value}" for mark in Mark if mark is not Mark.NONE and marks[mark]]
    changes = f" Of these {', '.join(done)}." if done else ""
    return f"{', '.join(told)}.{changes}"


def _sized(wide: float, high: float) -> str:
    return f'viewBox="0 0 {wide:g} {high:g}" width="{wide:g}" height="{high:g}"'


def _placed(box: Box) -> str:
    return f'x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{box.height:g}"'


def _text(text: str) -> str:
    """Return a text escaped; characters that XML 1.0 does not know are replaced."""
    return escape("".join(c if c in "\t\n" or _allowed(ord(c)) else "\ufffd" for c in text))


def _allowed(code: int) -> bool:
    return 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or 0x10000 <= code <= 0x10FFFF


def _drawn(box: Box) -> str:
    node = box.node
    classes = f"{node.mark.value} marked" if node.mark is not Mark.NONE else ""
    out = " out" if node.outside or node.more else ""
    whole = "\n".join([node.title, *(line.plain for line in node.lines)])
    parts = [
        f'<g class="{classes}"><title>{_text(whole)}</title>',
        f'<rect class="box {_CLASSES[node.kind]}{out}" {_placed(box)} rx="6"/>',
    ]
    for text in box.texts:
        fitted = (
            "" if text.text.isascii() or all(ord(c) < 0x180 or c in _KNOWN for c in text.text) else _fit(text.width)
        )
        parts.append(
            f'<text class="{text.style}" x="{text.x:g}" y="{text.y:g}" font-size="{text.size:g}"{fitted}>'
            f"{_text(text.text)}</text>"
        )
    if node.mark is not Mark.NONE:
        parts.append(_badge(node.mark, box.right - 6 - badge_width(node.mark), box.y + 7))
    return "".join([*parts, "</g>"])


_KNOWN = "–—…→×·"


def _fit(wide: float) -> str:
    """Return attributes that keep a text of letters whose widths are a guess within its room."""
    return f' textLength="{wide:.1f}" lengthAdjust="spacingAndGlyphs"'


def _badge(mark: Mark, x: float, y: float, label: str = "") -> str:
    label = label or mark.value
    wide = width_of(label, SMALL, bold=True) + 10
    return (
        f'<rect class="badge" x="{x:g}" y="{y:g}" width="{wide:g}" height="{BADGE:g}" rx="7"/>'
        f'<text class="op" x="{x + wide / 2:g}" y="{y + BADGE - 3.5:g}" font-size="{SMALL:g}">{label}</text>'
    )


def _way(path: Path) -> str:
    edge = path.edge
    x, y = path.tip
    back = 6 if path.forward else -6
    nic = " nic" if edge.way is Way.NICS else ""
    label = ""
    if path.label:
        label = (
            f'<text class="label" x="{path.label.x:g}" y="{path.label.y:g}" font-size="{path.label.size:g}">'
            f"{_text(path.label.text)}</text>"
        )
    return (
        f'<g class="{edge.mark.value}"><path class="way{nic}" d="{path.commands}"/>'
        f'<path class="tip" d="M{x:g} {y:g}l{-back:g} -3.5v7z"/>{label}</g>'
    )


def _legend_width(marks: list[Mark]) -> float:
    return sum(width_of(MARKS[mark], SMALL, bold=True) + 16 for mark in marks)


def _legend(marks: list[Mark], right: float, y: float) -> Iterator[str]:
    x = right - _legend_width(marks) + 6
    for mark in marks:
        yield f'<g class="{mark.value}">{_badge(mark, x, y, MARKS[mark])}</g>'
        x += width_of(MARKS[mark], SMALL, bold=True) + 16
