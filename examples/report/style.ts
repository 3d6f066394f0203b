/** The page's look: light and dark by the reader's setting, from 390 pixels upwards, without a script. */

const LIGHT = {
  ground: "#ffffff",
  card: "#f6f8fa",
  line: "#d1d9e0",
  ink: "#1f2328",
  muted: "#59636e",
  blue: "#0969da",
  orange: "#bc4c00",
  green: "#1a7f37",
  red: "#cf222e",
  violet: "#8250df",
};
const DARK: typeof LIGHT = {
  ground: "#0d1117",
  card: "#151b23",
  line: "#3d444d",
  ink: "#f0f6fc",
  muted: "#9198a1",
  blue: "#4493f8",
  orange: "#f0883e",
  green: "#3fb950",
  red: "#f85149",
  violet: "#ab7df8",
};

function variables(palette: typeof LIGHT): string {
  return Object.entries(palette)
    .map(([name, colour]) => `--${name}:${colour}`)
    .join(";");
}

const STYLE = `
:root{color-scheme:light dark;${variables(LIGHT)}}
@media(prefers-color-scheme:dark){:root{${variables(DARK)}}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1180px;padding:1.5rem 1rem 4rem;background:var(--ground);color:var(--ink);
  font:16px/1.55 system-ui,-apple-system,"Segoe UI","Noto Sans",Helvetica,Arial,sans-serif;overflow-wrap:break-word}
h1{font-size:1.9rem;line-height:1.2;margin:.5rem 0}
h2{font-size:1.35rem;line-height:1.25;margin:2.8rem 0 .6rem;padding-top:.8rem;border-top:1px solid var(--line)}
h3{font-size:1.05rem;margin:1.6rem 0 .3rem}
p,ul{margin:.5rem 0;max-width:48rem}
a{color:var(--blue)}
.lead{font-size:1.1rem}
.note,figcaption,nav{color:var(--muted);font-size:.9rem}
nav a{margin-right:1rem;white-space:nowrap}
dl.facts{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;margin:1rem 0;font-size:.95rem}
dl.facts dt{color:var(--muted)}
dl.facts dd{margin:0;min-width:0}
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,320px),1fr));gap:1rem;margin:1rem 0}
.grid.few{grid-template-columns:repeat(auto-fit,minmax(min(100%,320px),460px))}
figure{margin:0;min-width:0;padding:.7rem .8rem;background:var(--card);border:1px solid var(--line);border-radius:8px}
figure h3{margin:0 0 .2rem}
figure>svg{display:block;width:100%;height:auto}
svg{font-family:inherit;color:var(--muted)}
.legend{display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;margin:.6rem 0;padding:0;list-style:none;font-size:.92rem}
.legend svg{width:30px;height:10px;margin-right:.4rem;vertical-align:middle}
.pair{display:flex;flex-wrap:wrap;gap:.5rem 1.2rem;align-items:flex-start}
.pair .table{max-width:100%;min-width:0}
.pair figure{flex:1 1 280px;max-width:420px}
.table{overflow-x:auto;margin:.8rem 0;-webkit-overflow-scrolling:touch}
table{border-collapse:collapse;font-size:.92rem;font-variant-numeric:tabular-nums}
th,td{padding:.28rem .55rem;text-align:right;white-space:nowrap;border-bottom:1px solid var(--line)}
thead th{color:var(--muted);font-weight:500;vertical-align:bottom}
thead th.group{text-align:center;border-bottom:1px solid var(--line);border-left:1px solid var(--line)}
tbody th,thead tr:first-child th:first-child{text-align:left;font-weight:600;position:sticky;left:0;background:var(--ground)}
tbody th{white-space:normal;min-width:6.2rem;max-width:16rem}
tr.base td,tr.base th{background:var(--card)}
.wrapped{display:inline-block;white-space:normal;text-align:left;width:11rem;line-height:1.25}
.none{color:var(--muted)}
svg.interval{width:100px;height:14px;display:block}
svg.interval path{stroke:currentColor;stroke-width:2;fill:none}
svg.interval circle{fill:currentColor}
svg.interval path.zero{stroke:var(--line);stroke-width:1}
.better{color:var(--green)}.worse{color:var(--red)}
svg.even{color:var(--muted)}
.findings{list-style:none;padding:0;max-width:none;display:grid;gap:.5rem;
  grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr))}
.findings li{padding:.55rem .8rem;background:var(--card);border:1px solid var(--line);border-left:4px solid var(--muted);border-radius:6px;min-width:0}
.findings li.agrees{border-left-color:var(--green)}
.findings li.differs{border-left-color:var(--red)}
.findings li.mixed,.findings li.unclear{border-left-color:var(--orange)}
.findings li.beyond{border-left-color:var(--violet)}
ul.missed{color:var(--muted);max-width:none;columns:2 24rem;font-size:.93rem}
.findings .claim{display:block;font-weight:600}
.findings .source{color:var(--muted);font-weight:400;font-size:.88rem}
.counts{display:flex;flex-wrap:wrap;gap:.5rem;padding:0;list-style:none}
.counts li{padding:.15rem .7rem;border:1px solid var(--line);border-radius:1rem;font-size:.92rem}
.missing{color:var(--muted);font-style:italic}
.samples{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,250px),1fr));gap:1rem}
.samples img{width:calc(50% - 4px);image-rendering:pixelated;border-radius:4px;vertical-align:top}
.samples figcaption{margin-top:.4rem;color:var(--ink)}
.answers{display:grid;grid-template-columns:max-content 1fr;gap:0 .6rem;margin:.2rem 0 0}
.answers dt{color:var(--muted)}.answers dd{margin:0;min-width:0}
@media(max-width:600px){h1{font-size:1.55rem}th,td{padding:.28rem .45rem}tbody th{max-width:9rem}}
`;

/** A document; `body` and `description` are HTML and plain text. */
export function documentOf(title: string, description: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="description" content="${description}">
<title>${title}</title>
<style>${STYLE}</style>
</head>
<body>
${body}
</body>
</html>
`;
}
