"""A document as one self-contained HTML file: no script, nothing loaded, made to be printed."""

from html import escape
from typing import assert_never

from d1_preflight.report.document import (
    Block,
    Command,
    Document,
    Heading,
    Item,
    Pairs,
    Table,
    Words,
)
from d1_preflight.report.text import clean

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --wrong: #b00020; --soft: #8882; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { margin-top: 2.2rem; border-bottom: 1px solid var(--line); }
table { border-collapse: collapse; margin: .4rem 0 .8rem; font-size: .92em; }
th, td { padding: .15rem .8rem .15rem 0; text-align: left; vertical-align: top; }
th { font-weight: 600; border-bottom: 1px solid var(--line); }
.right { text-align: right; font-variant-numeric: tabular-nums; }
.step { margin: 1rem 0 .2rem; }
.mark { display: inline-block; min-width: 7.5rem; font-weight: 600; }
.failed .mark, .unknown .mark, .waived .mark, .interrupted .mark { color: var(--wrong); }
.said { margin: 0 0 .3rem 7.5rem; }
code { font: .88em ui-monospace, monospace; overflow-wrap: anywhere; }
.command { background: var(--soft); padding: .2rem .5rem; margin: .3rem 0; }
@media (prefers-color-scheme: dark) { :root { --wrong: #ff8a80; } }
@media print { body { margin: 0; max-width: none; font-size: 10pt; } h2 { break-after: avoid; }
  .step, tr { break-inside: avoid; } }
"""


def as_html(document: Document) -> str:
    """Render a document; every text is escaped, and a policy forbids whatever might slip by."""
    title = next((b.text for b in document if isinstance(b, Heading)), "record")
    body = "\n".join(_block(block) for block in document)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{_safe(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _safe(text: str) -> str:
    return escape(clean(text))


def _block(block: Block) -> str:
    match block:
        case Heading(level, text):
            return f"<h{level}>{_safe(text)}</h{level}>"
        case Words(text, strong):
            words = f"<strong>{_safe(text)}</strong>" if strong else _safe(text)
            return f"<p>{words}</p>"
        case Pairs(rows):
            cells = (f"<tr><th>{_safe(n)}</th><td>{_safe(v)}</td></tr>" for n, v in rows)
            return f"<table>{''.join(cells)}</table>"
        case Table():
            return _table(block)
        case Item(status, title, words):
            said = f'<p class="said">{_safe(words)}</p>' if words else ""
            mark = f'<span class="mark">{_safe(block.mark)}</span>'
            return f'<p class="step {status.value}">{mark}{_safe(title)}</p>{said}'
        case Command(line, ended, files):
            names = "".join(f"<br><code>{_safe(name)}</code>" for name in files)
            return f'<p class="command"><code>$ {_safe(line)}</code> ({_safe(ended)}){names}</p>'
        case _:
            assert_never(block)


def _table(table: Table) -> str:
    def row(cells: tuple[str, ...], tag: str) -> str:
        return (
            "<tr>" + "".join(_cell(table, n, cell, tag) for n, cell in enumerate(cells)) + "</tr>"
        )

    rows = "".join(row(cells, "td") for cells in table.rows)
    return f"<table><thead>{row(table.columns, 'th')}</thead><tbody>{rows}</tbody></table>"


def _cell(table: Table, number: int, text: str, tag: str) -> str:
    attribute = ' class="right"' if number in table.right else ""
    return f"<{tag}{attribute}>{_safe(text)}</{tag}>"
