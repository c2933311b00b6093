import { HEAT_LEVELS, THEMES, variablesOf } from "./colors.ts";

// The style of the page. Charts exist in two widths, and the style shows one of them, so that their text has the same
// size on a phone and on a wide screen.

const layout = `
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--text);font:16px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif;
overflow-wrap:anywhere}
main{max-width:1240px;margin:0 auto;padding:24px 24px 48px}
h1{font-size:30px;line-height:1.2;margin:0 0 8px}
h2{font-size:22px;line-height:1.3;margin:40px 0 8px;padding-top:16px;border-top:1px solid var(--rule)}
h3{font-size:17px;margin:28px 0 6px}
p{margin:6px 0 12px;max-width:75ch}
.lead{font-size:18px}
.faint,figcaption,caption{color:var(--faint)}
figure{margin:0;min-width:0}
figcaption{font-size:14px;margin-top:4px;max-width:75ch}
.pair>section{min-width:0}
.pair{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:28px;align-items:start}
svg{display:block;max-width:100%;height:auto;overflow:visible}
svg text,svg tspan{white-space:pre}
.narrow{display:none}
.scroll{overflow-x:auto;max-width:100%}
table{border-collapse:collapse;font-size:14px}
caption{text-align:left;padding:4px 0;font-size:14px}
th,td{padding:4px 10px;border-bottom:1px solid var(--rule);text-align:left;vertical-align:top;unicode-bidi:isolate}
thead th{vertical-align:bottom}
td.number,th.number{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums;overflow-wrap:normal}
.runs th{overflow-wrap:normal}
.runs td{overflow-wrap:break-word;min-width:2em}
.runs td:nth-of-type(2){min-width:8em}
.runs svg{max-width:none}
.runs th[scope=row],.settings td{overflow-wrap:anywhere;min-width:9em}
.settings th{overflow-wrap:break-word;max-width:10em}
.settings tr.differs th::before{content:"≠ ";font-weight:700}
.settings tr.differs{background:var(--panel)}
ul.legend{list-style:none;display:flex;flex-wrap:wrap;gap:4px 20px;margin:8px 0;padding:0;font-size:14px}
ul.legend li{display:flex;align-items:center;gap:6px;min-width:0;unicode-bidi:isolate}
ul.legend svg{flex:none}
.confusion{font-variant-numeric:tabular-nums}
.confusion th,.confusion td{border:1px solid var(--page);padding:3px 2px;text-align:center;vertical-align:middle;
overflow-wrap:normal}
.confusion td{min-width:42px;height:34px}
.confusion thead th.class{width:44px;height:7em;vertical-align:bottom}
.confusion.short thead th.class{height:auto}
.confusion thead th.class span{writing-mode:vertical-rl;transform:rotate(180deg);max-height:7em;overflow:hidden;
white-space:nowrap;text-overflow:ellipsis;display:inline-block}
.confusion.short thead th.class span{writing-mode:horizontal-tb;transform:none}
.confusion tbody th{text-align:right;padding-right:8px}
.confusion.short tbody th{min-width:3em}
.confusion tbody th span{display:block;max-width:9em;margin-left:auto;overflow:hidden;white-space:nowrap;text-overflow:ellipsis}
.confusion td.right{font-weight:700;outline:2px solid var(--text);outline-offset:-3px}
.scale{display:flex;flex-wrap:wrap;align-items:center;font-size:13px;margin:8px 0;color:var(--faint)}
.scale span{padding:1px 5px}
.scale span:last-of-type{margin-right:8px}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,240px),1fr));gap:16px;padding:0;margin:12px 0;
list-style:none}
.cards>li{border:1px solid var(--rule);border-radius:6px;padding:10px;min-width:0;break-inside:avoid}
.cards h4{margin:0 0 2px;font-size:16px;unicode-bidi:isolate}
.cards p{margin:0 0 8px;font-size:14px}
.nowrap{white-space:nowrap}
.pictures{display:flex;flex-wrap:wrap;gap:6px;margin:0;padding:0;list-style:none}
.pictures li{font-size:12px;line-height:1.3;color:var(--faint)}
.pictures img{display:block;width:50px;height:50px;object-fit:contain;image-rendering:pixelated;background:#808080;
border:1px solid var(--rule)}
details{margin:12px 0}
summary{cursor:pointer;color:var(--link);padding:4px 0}
details.run>summary{font-size:20px;font-weight:600;border-top:1px solid var(--rule);padding:12px 0}
:focus-visible{outline:2px solid var(--link);outline-offset:2px}
footer{margin-top:40px;border-top:1px solid var(--rule);padding-top:8px;font-size:14px;color:var(--faint)}
@media screen and (max-width:899px){
main{padding:16px 16px 32px}
h1{font-size:24px}
.pair{grid-template-columns:minmax(0,1fr);row-gap:12px}
}
@media screen and (max-width:639px){
.wide{display:none}
.narrow{display:block}
.confusion{width:100%;font-size:11px}
.confusion.short{table-layout:fixed}
.confusion thead th.class{width:auto}
.confusion caption{font-size:14px}
.confusion td.right{outline-width:1px;outline-offset:-2px}
.confusion td{min-width:24px;height:28px;padding:2px 0}
.confusion tbody th{padding-right:4px}
.confusion tbody th span{max-width:6em}
.confusion.short tbody th{min-width:2em}
.confusion.many{width:auto}
.confusion.many td{min-width:32px}
}
@media print{
main{max-width:none;padding:0}
body{font-size:12px}
.pair{grid-template-columns:minmax(0,1fr)}
figure,tr,.cards>li{break-inside:avoid}
h2,h3{break-after:avoid}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}
.scroll{overflow:visible}
table{font-size:11px}
th,td{padding:2px 5px}
td.number,th.number{white-space:normal}
.runs th[scope=row],.runs td:nth-of-type(2),.settings td{min-width:0}
}`;

/** The text of the style element. Paper has the light colors. */
export function style(): string {
  const heat = Array.from(
    { length: HEAT_LEVELS + 1 },
    (_, i) => `.h${i}{background:var(--heat-${i});color:var(--ink-${i});fill:var(--heat-${i})}`,
  );
  return [
    `:root{color-scheme:light dark;${variablesOf(THEMES.light)}}`,
    `@media screen and (prefers-color-scheme:dark){:root{${variablesOf(THEMES.dark)}}}`,
    layout.trim(),
    ...heat,
  ].join("\n");
}
