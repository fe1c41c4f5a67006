"""One HTML file that needs nothing else: sections, tables, pictures inside."""

import base64
from dataclasses import dataclass, field
from html import escape

_STYLE = """
:root { --ink:#1c2733; --muted:#6b7785; --line:#dde3e9; --soft:#f5f7f9; --accent:#0b63c5; }
* { box-sizing:border-box; }
body { margin:0; font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif; color:var(--ink); background:#fff; }
main { max-width:1100px; margin:0 auto; padding:32px 24px 64px; }
h1 { font-size:26px; margin:0 0 2px; letter-spacing:-.01em; overflow-wrap:anywhere; }
h2 { font-size:18px; margin:44px 0 6px; padding-top:14px; border-top:1px solid var(--line); }
p { margin:6px 0 12px; max-width:78ch; } .muted { color:var(--muted); }
.cards { display:grid; grid-template-columns:repeat(auto-fill,minmax(132px,1fr)); gap:10px; margin:22px 0 8px; }
.card { background:var(--soft); border:1px solid var(--line); border-radius:8px; padding:10px 14px; }
.card b { display:block; font-size:21px; font-weight:600; font-variant-numeric:tabular-nums; overflow-wrap:anywhere; }
.card span { color:var(--muted); font-size:12.5px; }
.card.bad { border-color:#f1b0b7; background:#fdf2f3; } .card.good { border-color:#b2dfbd; background:#f1faf3; }
img { max-width:100%; height:auto; display:block; margin:10px 0; }
.scroll { overflow-x:auto; }
table { border-collapse:collapse; margin:10px 0 14px; font-size:13.5px; font-variant-numeric:tabular-nums; }
th { text-align:left; color:var(--muted); font-weight:500; border-bottom:1px solid var(--line); padding:4px 18px 4px 0; }
th { white-space:nowrap; }
td { border-bottom:1px solid #eef1f4; padding:4px 18px 4px 0; vertical-align:top; }
td.n, th.n { text-align:right; }
td .bar { display:inline-block; height:9px; border-radius:2px; background:var(--accent); opacity:.75; }
details { margin:8px 0; } summary { cursor:pointer; color:var(--accent); }
code { font:12.5px ui-monospace,Menlo,Consolas,monospace; background:var(--soft); padding:1px 4px; border-radius:3px; }
@media print { h2 { break-after:avoid; } img, table { break-inside:avoid; } }
"""


@dataclass(slots=True)
class Page:
    """Collects the parts and gives the text of the file."""

    title: str
    subtitle: str = ""
    parts: list[str] = field(default_factory=list)

    def section(self, heading: str, text: str = "") -> None:
        """A heading with an optional paragraph."""
        self.parts.append(f"<h2>{escape(heading)}</h2>")
        self.text(text)

    def text(self, text: str) -> None:
        """A paragraph; nothing for an empty text."""
        if text:
            self.parts.append(f"<p>{escape(text)}</p>")

    def cards(self, cards: list[tuple[str, str, str]]) -> None:
        """Figures at a glance: (value, caption, "good" | "bad" | "")."""
        boxes = [f'<div class="card {kind}"><b>{escape(v)}</b><span>{escape(c)}</span></div>' for v, c, kind in cards]
        self.parts.append(f'<div class="cards">{"".join(boxes)}</div>')

    def picture(self, png: bytes, description: str) -> None:
        """A PNG, embedded; the description is for those who cannot see it."""
        data = base64.b64encode(png).decode()
        self.parts.append(f'<img alt="{escape(description)}" src="data:image/png;base64,{data}">')

    def table(self, head: list[str], rows: list[list[object]], folded: str = "") -> None:
        """Numbers are set right; `folded` hides the table behind that line."""
        numeric = [bool(rows) and all(isinstance(row[i], (int, float)) for row in rows) for i in range(len(head))]
        kind = [' class="n"' if right else "" for right in numeric]
        cells = "".join(f"<th{k}>{escape(h)}</th>" for k, h in zip(kind, head))
        body = "".join("<tr>" + "".join(f"<td{k}>{_cell(v)}</td>" for k, v in zip(kind, row)) + "</tr>" for row in rows)
        table = f'<div class="scroll"><table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table></div>'
        self.parts.append(f"<details><summary>{escape(folded)}</summary>{table}</details>" if folded else table)

    def counts(self, head: list[str], counts: dict[str, int]) -> None:
        """A table of counts, each with a bar as long as its share."""
        most = max(counts.values(), default=1)
        rows = "".join(
            f'<tr><td>{escape(name)}</td><td class="n">{count}</td>'
            f'<td><span class="bar" style="width:{max(2, round(220 * count / most))}px"></span></td></tr>'
            for name, count in counts.items()
        )
        cells = f'<th>{escape(head[0])}</th><th class="n">{escape(head[1])}</th><th></th>'
        self.parts.append(f"<table><thead><tr>{cells}</tr></thead><tbody>{rows}</tbody></table>")

    def html(self) -> str:
        """The whole file."""
        return (
            f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(self.title)}</title>'
            f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{_STYLE}</style></head>'
            f'<body><main><h1>{escape(self.title)}</h1><div class="muted">{escape(self.subtitle)}</div>'
            + "\n".join(self.parts)
            + "</main></body></html>\n"
        )


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        digits = 0 if abs(value) >= 1000 else 1 if abs(value) >= 100 else 2 if abs(value) >= 10 else 3
        return "" if value != value else f"{value:,.{digits}f}"
    return escape(str(value))
