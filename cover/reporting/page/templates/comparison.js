"use strict";
const scores = Object.keys(data.scores);
const places = d3.range(data.names.length);
const beside = Object.fromEntries(Object.entries(data.beside).map(([kind, numbers]) => [kind, new Set(numbers)]));
const picture = (kind, place) => {
  const inside = (data.pictures[kind] || {})[place];
  if (inside) return `<img alt="" src="data:image/webp;base64,${inside}">`;
  return beside[kind] && beside[kind].has(place) ? `<img alt="" src="${data.files}/${place}.${kind}.webp">` : "";
};
for (const row of data.changes) {
  const chart = element("figure");
  byId("changes").append(element("div", { class: "card" }, element("h3", {}, row.score), chart));
  const values = data.scores[row.score].change.filter((value) => value !== null);
  draw(() => plot(chart, `Histogram of the change of ${row.score}`, {
    height: 150, marginLeft: 40, most: 420, x: { label: `change of ${row.score}` }, y: { label: "pairs", grid: true, ticks: 4 },
    marks: [
      Plot.rectY(values, Plot.binX({ y: "count" }, { x: (value) => value, fill: COLOURS[row.score], fillOpacity: 0.8, thresholds: 20 })),
      Plot.ruleX([0], { stroke: "var(--fore)" }),
      row.ends ? Plot.ruleY([0], { x1: row.ends[0], x2: row.ends[2], stroke: "var(--fore)", strokeWidth: 5 }) : null,
    ],
  }));
}
const signed = (value) => (value === null ? "" : `<span class="${value > 0 ? "good" : value < 0 ? "bad" : ""}">${value > 0 ? "+" : ""}${digits(value, 4)}</span>`);
const figure = (title, values, render) => ({ title, type: "num", data: (place) => values[place], render: (value, kind) => (kind === "display" ? render(value) : (value ?? -Infinity)) });
new DataTable("#table", {
  data: places,
  columns: [
    { title: "A and B", orderable: false, searchable: false, data: (place) => place, render: (place, kind) => (kind === "display" ? `<div class="pair">${picture("a", place)}${picture("b", place)}</div>` : "") },
    { title: "video", className: "text name", type: "string", data: (place) => data.names[place], render: (name, kind, place) => (kind === "display" ? `<bdi>${escaped(name)}</bdi>${data.others[place] ? ` / <bdi>${escaped(data.others[place])}</bdi>` : ""}` : name) },
    figure("overall A", data.scores.overall._a, (value) => digits(value, 4)),
    figure("overall B", data.scores.overall._b, (value) => digits(value, 4)),
    ...scores.map((name) => figure(`change of ${name}`, data.scores[name].change, signed)),
    { title: "differs by", className: "text notes", data: (place) => data.unlike[place], render: (text, kind) => (kind === "display" ? escaped(text) : text) },
  ],
  order: [],
  pageLength: 25,
  deferRender: true,
  autoWidth: false,
  language: { search: "Search", lengthMenu: "_MENU_ per page", info: "_START_ to _END_ of _TOTAL_", infoFiltered: "(of _MAX_)" },
});
document.documentElement.dataset.ready = "true";
