"""How the report looks: on a screen by day and by night, on a telephone, and on paper."""

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #fdfdfb; --ink: #1c1e21; --soft: #5a6068; --rule: #d5d7d9; --tint: #f1f2ee; --mark: #0b5c8f;
  --warn: #8a4b00; --warn-tint: #fdf3e1;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #16181b; --ink: #e6e6e3; --soft: #a3a9b1; --rule: #3a3f45; --tint: #202429; --mark: #7cc0ee;
    --warn: #f0b667; --warn-tint: #2d2517;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 2.5rem 1.25rem 4rem; max-width: 60rem; background: var(--paper); color: var(--ink);
  font: 1.0625rem/1.55 Charter, "Bitstream Charter", "Iowan Old Style", Cambria, "Liberation Serif", Georgia, serif;
  overflow-wrap: break-word;
}
h1, h2, h3, table, figcaption, .label, dt {
  font-family: system-ui, "Segoe UI", "Liberation Sans", Arial, sans-serif;
}
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .6rem; font-weight: 650; }
h2 {
  font-size: 1.2rem; font-weight: 650; margin: 2.8rem 0 .7rem; padding-top: .55rem; border-top: 1px solid var(--rule);
}
h3 { font-size: 1rem; font-weight: 650; margin: 1.8rem 0 .4rem; }
p, ul, dl { margin: .5rem 0 .9rem; max-width: 44rem; }
ul { padding-left: 1.2rem; }
.lead { color: var(--soft); }
.label { font-size: .78rem; letter-spacing: .06em; text-transform: uppercase; color: var(--soft); margin: 0 0 .3rem; }
.verdict { border-left: 4px solid var(--mark); background: var(--tint); padding: .9rem 1.2rem; margin: 1.4rem 0; }
.verdict p { font-size: 1.1rem; margin: .35rem 0 .8rem; max-width: none; }
.verdict p.label { font-size: .78rem; }
.verdict p:last-child { margin-bottom: .2rem; }
.warning { border-left: 4px solid var(--warn); background: var(--warn-tint); padding: .7rem 1.2rem; margin: 1.2rem 0; }
.warning ul { margin: .2rem 0; max-width: none; }
.scroll { overflow-x: auto; margin: .8rem 0 .4rem; }
table {
  border-collapse: separate; border-spacing: 0; min-width: min(100%, 24rem);
  font-size: .9rem; font-variant-numeric: tabular-nums;
}
th, td { padding: .34rem .9rem .34rem 0; text-align: left; vertical-align: top; }
th { font-weight: 600; }
thead th { border-bottom: 1.5px solid var(--ink); vertical-align: bottom; }
tbody th { font-weight: 400; min-width: 11rem; max-width: 22rem; }
tbody th, tbody td { border-bottom: 1px solid var(--rule); }
tbody tr.group th {
  font-weight: 600; padding-top: 1.1rem; border-bottom: 1px solid var(--ink); max-width: none;
}
td.number { text-align: right; white-space: nowrap; }
thead th.number { text-align: right; }
.number { padding-left: .9rem; padding-right: 0; }
.interval, .unit, .description { display: block; color: var(--soft); font-size: .82em; font-weight: 400; }
.unit { display: inline; }
.wrong { color: var(--warn); }
.wrong::after { content: " ✗"; }
.note { color: var(--soft); font-size: .92rem; }
/* What a row is about stays in sight while its numbers are scrolled. */
tbody th, thead th:first-child { position: sticky; left: 0; background: var(--paper); }
figure { margin: 1.4rem 0 2rem; }
figure .scroll { margin: 0; }
figure svg {
  display: block; width: 100%; height: auto; background: #fff; border: 1px solid var(--rule); border-radius: 3px;
  padding: .5rem;
}
figure svg * { stroke-linejoin: round; stroke-linecap: butt; }
figcaption { font-size: .9rem; line-height: 1.45; margin-top: .55rem; max-width: 44rem; }
figcaption b { font-weight: 650; }
dt { font-weight: 600; font-size: .95rem; margin-top: .7rem; }
dd { margin: .1rem 0 0 0; }
pre {
  white-space: pre-wrap; overflow-wrap: anywhere; background: var(--tint); padding: .7rem .9rem; font-size: .85rem;
  font-family: ui-monospace, "Liberation Mono", monospace; margin: .6rem 0;
}
footer {
  margin-top: 3rem; padding-top: .6rem; border-top: 1px solid var(--rule); color: var(--soft); font-size: .85rem;
}
@media (max-width: 40rem) {
  body { padding: 1.4rem .9rem 3rem; font-size: 1rem; }
  h1 { font-size: 1.4rem; }
  .verdict { padding: .7rem .9rem; }
  .verdict p { font-size: 1rem; }
  table { font-size: .82rem; }
  th, td { padding-right: .4rem; }
  tbody th { min-width: 6.5rem; }
  .number { padding-left: .6rem; }
  figure svg { padding: .2rem; min-width: 28rem; }
}
@media print {
  :root { --paper: #fff; --ink: #000; --soft: #444; --rule: #bbb; --tint: #f4f4f4; --mark: #000; --warn: #000; }
  body { max-width: none; padding: 0; font-size: 10.5pt; }
  h2, h3 { break-after: avoid; }
  figure, tr, .verdict, .warning { break-inside: avoid; }
  figure svg { border: 0; padding: 0; max-height: 22cm; }
  .scroll { overflow: visible; }
  .verdict, .warning { background: none; }
}
"""
