"""How the page looks: by light and by dark, on a wide screen, on a phone and on paper."""

from __future__ import annotations

__all__ = ["STYLE"]

STYLE = """
:root{color-scheme:light dark;--bg:#fff;--ink:#1f2328;--dim:#59636e;--line:#d1d9e0;--soft:#f6f8fa;--link:#0969da;
--safe:#1a7f37;--safe-bg:#e6f6ea;--risky:#8a5a00;--risky-bg:#fff5d6;--broken:#b3261e;--broken-bg:#ffebe9}
@media (prefers-color-scheme:dark){:root{--bg:#0d1117;--ink:#e6edf3;--dim:#9aa4af;--line:#30363d;--soft:#161b22;
--link:#58a6ff;--safe:#56d364;--safe-bg:#10251a;--risky:#e3b341;--risky-bg:#2a2110;--broken:#ff7b72;
--broken-bg:#2d1416}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1.25rem clamp(.75rem,3vw,2rem) 3rem;max-width:75rem;background:var(--bg);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;overflow-wrap:anywhere}
h1{font-size:1.3rem;font-weight:600;line-height:1.35;margin:.15rem 0 0}
h2{font-size:1.25rem;margin:2.5rem 0 .25rem;padding-bottom:.35rem;border-bottom:1px solid var(--line)}
h3{font-size:1.02rem;margin:1.75rem 0 .3rem}
p{margin:.4rem 0}ul{margin:.4rem 0;padding-left:1.3rem}
a{color:var(--link)}
.banner{border:1px solid;border-left-width:6px;border-radius:8px;padding:.8rem 1.1rem}
.banner.safe{border-color:var(--safe);background:var(--safe-bg)}
.banner.risky{border-color:var(--risky);background:var(--risky-bg)}
.banner.broken{border-color:var(--broken);background:var(--broken-bg)}
.banner p:first-child{margin:0;display:flex;align-items:center;gap:.45rem}
.sign{display:inline-grid;place-items:center;width:1.3rem;height:1.3rem;border-radius:50%;color:var(--bg);
font-weight:800;font-size:.85rem;line-height:1}
.word{text-transform:uppercase;letter-spacing:.06em;font-size:.85rem}
.safe .sign{background:var(--safe)}.risky .sign{background:var(--risky)}.broken .sign{background:var(--broken)}
.safe .word{color:var(--safe)}.risky .word{color:var(--risky)}.broken .word{color:var(--broken)}
.against,.dim,figcaption,footer{color:var(--dim);font-size:.875rem}
.against{margin-bottom:0}
.chip{display:inline-block;padding:0 .55em;border-radius:1em;font-size:.75rem;font-weight:600;line-height:1.6;
vertical-align:.12em;border:1px solid}
.chip.safe{color:var(--safe);background:var(--safe-bg)}.chip.risky{color:var(--risky);background:var(--risky-bg)}
.chip.broken{color:var(--broken);background:var(--broken-bg)}
nav ul{list-style:none;padding:0;margin:1rem 0 0}nav li{padding:.15rem 0}
.note{border-left:3px solid var(--line);padding-left:.7rem;color:var(--dim);white-space:pre-line}
.headline{margin-bottom:.6rem}
code,pre{font:.86em/1.45 ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace}
code{background:var(--soft);border-radius:4px;padding:.1em .3em;white-space:break-spaces}
pre{background:var(--soft);border:1px solid var(--line);border-radius:6px;padding:.7rem .9rem;overflow-x:auto;
white-space:pre-wrap}
.table{overflow-x:auto;margin:.6rem 0}
table{border-collapse:collapse;font-size:.9rem;min-width:min(100%,32rem)}
th,td{padding:.36rem .7rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
th,td{overflow-wrap:break-word}td code{overflow-wrap:anywhere}
th{background:var(--soft);font-weight:600;vertical-align:bottom}
td{min-width:8rem;max-width:38rem}
.number{text-align:right;font-variant-numeric:tabular-nums;min-width:4.5rem}
details{margin:.5rem 0;border:1px solid var(--line);border-radius:6px;padding:.35rem .8rem}
summary{cursor:pointer;font-weight:500}details[open] summary{margin-bottom:.4rem}
figure{margin:.6rem 0}
.drawing{overflow-x:auto;border:1px solid var(--line);border-radius:8px}
.drawing svg{display:block;margin:0 auto;max-width:100%;min-width:46rem;height:auto}
footer{margin-top:3rem;border-top:1px solid var(--line);padding-top:.6rem}
@media (max-width:48rem){body{font-size:15px}th,td{padding:.3rem .5rem}td:not(.number){min-width:8.5rem}}
@media print{body{max-width:none;padding:0;font-size:10.5pt}.table,.drawing{overflow:visible;border:0}
.drawing svg{min-width:0}details>*{display:block}details::details-content{content-visibility:visible;height:auto}
h2,h3{break-after:avoid}tr,figure,.banner{break-inside:avoid}}
""".strip()
"""The page's style sheet; classes of pictures come with the pictures."""
