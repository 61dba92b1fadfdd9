"use strict";
const present = SCORES.filter((name) => data.columns[name]);
const count = data.names.length;
const places = d3.range(count);
const pictured = (kind, place) => {
  const inside = (data.pictures[kind] || {})[place];
  const [type, suffix] = kind === "maps" ? ["png", ".png"] : ["webp", ".webp"];
  return inside ? `data:image/${type};base64,${inside}` : `${data.files}/${place}.${kind}${suffix}`;
};
const hasPictures = (place) => Boolean(data.tiles[place] && data.tiles[place][0]);
const hasGroups = Object.keys(data.groups).length > 0;
if (!hasGroups) document.querySelectorAll("[data-needs=groups]").forEach((node) => node.remove());

// ---- colours of maps
const VIRIDIS = d3.range(16).map((step) => d3.rgb(d3.interpolateViridis(step / 15)));
["R", "G", "B"].forEach((channel) => {
  const values = VIRIDIS.map((colour) => (colour[channel.toLowerCase()] / 255).toFixed(4)).join(" ");
  document.querySelector(`#colours feFunc${channel}`).setAttribute("tableValues", values);
});

// ---- distributions with thresholds
function distribution(score) {
  const tally = data.tally[score];
  const chart = element("figure");
  const slider = element("input", { type: "range", min: 0, max: tally.steps.length - 1, value: 0, "aria-label": `Threshold of ${score}` });
  const said = element("p", { "aria-live": "polite" });
  const code = element("code");
  const copied = element("span", { role: "status", class: "hint" });
  const copy = element("button", { type: "button", "aria-label": `Copy the selection by ${score}`, onclick: () => {
    const done = () => { copied.textContent = " copied"; };
    navigator.clipboard ? navigator.clipboard.writeText(code.textContent).then(done, () => select(code)) : select(code);
  } }, "Copy");
  const show = () => {
    const step = Number(slider.value);
    const hours = tally.hours[step];
    slider.setAttribute("aria-valuetext", `${score} above ${tally.steps[step]}`);
    said.textContent = `kept ${tally.kept[step].toLocaleString("en")} of ${data.total.toLocaleString("en")}` + (tally.hours[0] > 0 ? `, ${hours < 0.1 ? `${(hours * 60).toFixed(1)} min` : `${hours.toFixed(1)} h`}` : "");
    code.textContent = `cover select ${data.folder} '${score} > ${tally.steps[step]}'`;
    copied.textContent = "";
    const bars = tally.counts.map((videos, place) => ({ videos, low: tally.edges[place], high: tally.edges[place + 1] }));
    plot(chart, `Histogram of ${score}`, {
      height: 160, marginLeft: 40, marginTop: 30, most: 420, x: { label: score }, y: { label: data.of, grid: true, ticks: 4 },
      marks: [
        Plot.rectY(bars, { x1: "low", x2: "high", y: "videos", fill: COLOURS[score], fillOpacity: (bar) => (bar.high > tally.steps[step] ? 0.85 : 0.3), inset: 0.5 }),
        Plot.ruleY([0]),
        tally.ticks.length ? Plot.tickX(tally.ticks, { x: "1", stroke: "var(--soft)", strokeDasharray: "2,3" }) : null,
        tally.ticks.length ? Plot.text(tally.ticks, { x: "1", frameAnchor: "top", dy: -8, text: (tick) => `${tick[0]} %`, fontSize: 10, fill: "var(--soft)" }) : null,
        Plot.ruleX([tally.steps[step]], { stroke: "var(--fore)", strokeWidth: 2 }),
      ],
    });
  };
  slider.addEventListener("input", show);
  const card = element("div", { class: "card" }, element("h3", {}, score), chart, slider, said, element("p", {}, code, " ", copy, copied));
  byId("distributions").append(card);
  // Dragging on the chart moves the threshold too.
  const drag = (event) => {
    if (event.type === "pointermove" && !event.buttons) return;
    const svg = chart.querySelector("svg");
    const scale = svg && chart.querySelector("svg").closest("figure").querySelector("*").scale;
    const box = svg.getBoundingClientRect();
    const x = scale ? scale("x").invert((event.clientX - box.left) * (svg.width.baseVal.value / box.width)) : NaN;
    if (Number.isFinite(x)) { slider.value = d3.bisectLeft(tally.steps, x); show(); }
  };
  chart.addEventListener("pointerdown", drag);
  chart.addEventListener("pointermove", drag);
  return show;
}
function select(node) {
  const range = document.createRange();
  range.selectNodeContents(node);
  getSelection().removeAllRanges();
  getSelection().addRange(range);
}
// All cards are there before the first chart takes the width of its own.
present.filter((score) => data.tally[score]).map(distribution).forEach(draw);

// ---- agreement with the MOS
if (data.curve && byId("fit")) {
  const rated = places.filter((place) => data.columns.mos[place] !== null);
  const at = (place) => ({ place, x: data.columns.overall[place], y: data.columns.mos[place], off: data.curve.residual[place] });
  const points = rated.map(at);
  draw(() => pointed(plot(byId("fit"), "Predicted score against MOS with the fitted curve", {
    height: 320, most: 560, x: { label: "overall" }, y: { label: "MOS", grid: true },
    marks: [
      Plot.dot(points, { x: "x", y: "y", r: 3, fill: "var(--accent)", fillOpacity: 0.55, className: "points" }),
      Plot.lineY(data.curve.line, { x: "0", y: "1", stroke: "var(--semantic)", strokeWidth: 2 }),
      Plot.tip(points, Plot.pointer({ x: "x", y: "y", title: (point) => data.names[point.place], fill: "var(--back)" })),
    ],
  }), () => true));
  draw(() => pointed(plot(byId("residuals"), "Fitted prediction - MOS, against MOS", {
    height: 320, most: 560, x: { label: "MOS" }, y: { label: "fitted prediction - MOS", grid: true },
    marks: [
      Plot.ruleY([0]),
      Plot.dot(points, { x: "y", y: "off", r: 3, fill: "var(--accent)", fillOpacity: 0.55 }),
      Plot.tip(points, Plot.pointer({ x: "y", y: "off", title: (point) => data.names[point.place], fill: "var(--back)" })),
    ],
  }), () => true));
}
function pointed(chart) {
  chart.addEventListener("click", () => chart.value && openPanel(chart.value.place));
}

// ---- branches against each other
const numbers = Object.keys(data.columns);
options(byId("scatter-x"), numbers.map((name) => [name, name]), present.includes("technical") ? "technical" : numbers[0]);
options(byId("scatter-y"), numbers.map((name) => [name, name]), present.includes("semantic") ? "semantic" : numbers.find((name) => name !== byId("scatter-x").value) || numbers[0]);
function scatter() {
  const [x, y] = [byId("scatter-x").value, byId("scatter-y").value];
  const shown = places.filter((place) => data.columns[x][place] !== null && data.columns[y][place] !== null);
  const every = Math.ceil(shown.length / 20000);
  const points = shown.filter((_, number) => number % every === 0).map((place) => ({ place, x: data.columns[x][place], y: data.columns[y][place], aesthetic: (data.columns.aesthetic || data.columns.overall)[place] }));
  const colours = data.columns.aesthetic ? "aesthetic" : "overall";
  pointed(plot(byId("scatter"), `${y} against ${x}, a point for each video`, {
    height: 420, most: 900, x: { label: x, grid: true }, y: { label: y, grid: true }, color: { scheme: "viridis", legend: false, label: colours },
    marks: [
      Plot.dot(points, { x: "x", y: "y", fill: "aesthetic", r: points.length > 2000 ? 2 : 4, stroke: "var(--soft)", strokeWidth: points.length > 2000 ? 0 : 0.5 }),
      Plot.tip(points, Plot.pointer({ x: "x", y: "y", title: (point) => `${data.names[point.place]}\n${colours} ${digits(point.aesthetic)}`, fill: "var(--back)" })),
    ],
  }));
  byId("scatter").append(element("p", { class: "hint" }, `Colour: ${colours}, yellow is high.`));
}
["scatter-x", "scatter-y"].forEach((id) => byId(id).addEventListener("change", scatter));
draw(scatter);

// ---- groups
if (hasGroups) {
  options(byId("group-score"), numbers.map((name) => [name, name]), "overall");
  options(byId("group-column"), Object.keys(data.groups).map((name) => [name, name]));
  const boxes = () => {
    const [score, column] = [byId("group-score").value, byId("group-column").value];
    const group = data.groups[column];
    const points = places.filter((place) => group.codes[place] >= 0 && data.columns[score][place] !== null).map((place) => ({ level: group.levels[group.codes[place]], value: data.columns[score][place] }));
    plot(byId("boxes"), `${score} by ${column}, a box for each group`, {
      height: 60 + 26 * group.levels.length, most: 900, marginLeft: 150, x: { label: score, grid: true }, y: { label: null, domain: group.levels, tickFormat: (level) => (level.length > 22 ? `${level.slice(0, 21)}…` : level) },
      marks: [Plot.boxX(points, { x: "value", y: "level", fill: "var(--accent)", fillOpacity: 0.5, stroke: "var(--fore)" })],
    });
    if (group.of > group.levels.length) byId("boxes").append(element("p", { class: "hint" }, `The ${group.levels.length} most frequent of ${group.of} values.`));
  };
  ["group-score", "group-column"].forEach((id) => byId(id).addEventListener("change", boxes));
  draw(boxes);
}

// ---- table
const LABELS = { mos: "MOS", predicted_mos: "predicted MOS", percentile: "percentile", duration: "duration (s)", width: "width", height: "height", fps: "fps", bitrate: "kbit/s", bits_per_pixel: "bits/pixel" };
const DIGITS = { percentile: 1, duration: 2, width: 0, height: 0, fps: 2, bitrate: 0, bits_per_pixel: 3, mos: 2, predicted_mos: 2 };
const HIDDEN = ["fps", "bitrate", "bits_per_pixel", "codec"]; // for most people of less use than the columns that they would push out
function numeric(name) {
  const values = data.columns[name];
  const [low, high] = d3.extent(values);
  const bar = (value) => `<div class="bar"><i style="width:${(100 * (value - low)) / (high - low || 1)}%"></i></div>`;
  return {
    title: LABELS[name] || name,
    name,
    visible: !HIDDEN.includes(name),
    data: (place) => values[place],
    type: "num",
    render: (value, kind) => {
      if (kind !== "display") return value === null ? -Infinity : value;
      if (value === null || value === undefined) return "";
      return digits(value, DIGITS[name] ?? 3) + (present.includes(name) ? bar(value) : "");
    },
  };
}
const size = (place) => (data.columns.width && data.columns.width[place] ? `${data.columns.width[place]} × ${data.columns.height[place]}` : "");
const weak = (place) => (data.stretches[place] || []).length;
const words = (title, className, of) => ({ title, className, data: of, render: (text, kind) => (kind === "display" ? escaped(text) : text) });
const seen = Object.keys(data.words).length > 0;
const columns = [
  { title: "picture", visible: seen, orderable: false, searchable: false, data: (place) => place, render: (place, kind) => (kind === "display" && hasPictures(place) ? `<img loading="lazy" alt="" src="${pictured("thumbs", place)}">` : "") },
  { title: "video", className: "text name", type: data.parts ? "num" : "string", data: (place) => data.names[place], render: (name, kind, place) => (kind === "sort" || kind === "type" ? (data.parts ? place : name) : kind === "display" ? `<button type="button" class="link" data-place="${place}"><bdi>${escaped(name)}</bdi></button>` : name) },
  ...numbers.filter((name) => name !== "width" && name !== "height").map(numeric),
];
if (data.columns.width) columns.push({ title: "size", type: "num", data: (place) => data.columns.width[place] * data.columns.height[place], render: (pixels, kind, place) => (kind === "display" ? size(place) : pixels) });
if (data.curve) columns.splice(2, 0, { title: "fitted - MOS", type: "num", data: (place) => data.curve.residual[place], render: (value, kind) => (value === null ? (kind === "display" ? "" : 0) : kind === "sort" ? Math.abs(value) : kind === "display" ? (value > 0 ? "+" : "") + digits(value, 2) : value) });
if (data.codec.some((codec) => codec)) columns.push({ ...words("codec", "text", (place) => data.codec[place] || ""), name: "codec", visible: false });
columns.push({ title: "weak stretches", visible: seen, type: "num", data: weak });
columns.push({ ...words("notes", "text notes", (place) => (data.notes[place] || []).join("; ")), visible: Object.keys(data.notes).length > 0 });
const disagreement = columns.findIndex((column) => column.title === "fitted - MOS");
const table = new DataTable("#table", {
  data: places,
  columns,
  order: disagreement >= 0 ? [[disagreement, "desc"]] : [[columns.findIndex((column) => column.title === "overall"), "asc"]],
  pageLength: 25,
  lengthMenu: [10, 25, 50, 100],
  deferRender: true,
  autoWidth: false,
  language: { search: "Search", lengthMenu: "_MENU_ per page", info: "_START_ to _END_ of _TOTAL_", infoFiltered: "(of _MAX_)", zeroRecords: `No ${data.of} fit the filters` },
});
const more = HIDDEN.filter((name) => columns.some((column) => column.name === name));
if (!more.length) byId("more-columns").parentElement.remove();
byId("more-columns")?.addEventListener("change", (event) => more.forEach((name) => table.column(`${name}:name`).visible(event.target.checked)));
byId("table").addEventListener("click", (event) => {
  const button = event.target.closest("button[data-place]");
  if (button) openPanel(Number(button.dataset.place));
});

// ---- parts over time
const startOf = (place) => (data.parts ? data.parts.start[place] : 0);
const stretchesOf = (video) => places.filter((place) => data.parts.of[place] === video && data.parts.end[place] !== null).map((place) => ({ place, video: data.parts.videos[video], start: data.parts.start[place], end: data.parts.end[place], middle: (data.parts.start[place] + data.parts.end[place]) / 2, overall: data.columns.overall[place] }));
const seconds = (stretches) => ({ label: "time", domain: [0, d3.max(stretches, (part) => part.end)], tickFormat: clock });
function opening(chart) {
  chart.style.cursor = "pointer";
  chart.addEventListener("click", () => chart.value && openPanel(chart.value.place));
}
const told = (part) => `${data.names[part.place]}\noverall ${digits(part.overall)}`;
if (data.parts && data.parts.rows.length) {
  const stretches = data.parts.rows.flatMap(stretchesOf);
  const [low, high] = d3.extent(stretches, (part) => part.overall);
  draw(() => {
    const wide = width(byId("films-chart"));
    const chart = plot(byId("films-chart"), "Overall score of each part, a line a video, from its start to its end", {
      height: 60 + 30 * data.parts.rows.length, marginLeft: Math.min(220, wide / 3), marginTop: 8, x: seconds(stretches),
      y: { label: null, domain: data.parts.rows.map((video) => data.parts.videos[video]), padding: 0.15, tickFormat: (name) => (name.length > 30 ? `…${name.slice(-29)}` : name) },
      color: { type: "linear", domain: [low, high === low ? low + 1 : high], interpolate: d3.interpolateViridis },
      marks: [
        Plot.barX(stretches, { x1: "start", x2: "end", y: "video", fill: "overall", insetRight: 0.5 }),
        Plot.tip(stretches, Plot.pointer({ x: "middle", y: "video", title: told, fill: "var(--back)" })),
      ],
    });
    opening(chart);
  });
  const shades = `background:linear-gradient(90deg,${VIRIDIS.map((colour) => colour.formatHex()).join(",")})`;
  byId("films-legend").append(digits(low, 2), element("i", { style: shades }), digits(high, 2));
}
function around(place) {
  const stretches = stretchesOf(data.parts.of[place]);
  const at = stretches.findIndex((part) => part.place === place);
  if (stretches.length < 2 || at < 0) return [];
  const [low, high] = d3.extent(stretches, (part) => part.overall);
  const chart = element("figure");
  const beside = (by, text) => element("button", { type: "button", disabled: !stretches[at + by], onclick: () => openPanel(stretches[at + by].place) }, text);
  panelRedraws.push(() => opening(plot(chart, "Overall score of the parts of this video; this one is marked", {
    height: 110, marginLeft: 44, marginTop: 8, x: seconds(stretches), y: { label: "overall", ticks: 3, grid: true, domain: [low - 0.05 * (high - low || 1), high] },
    marks: [
      Plot.rect(stretches, { x1: "start", x2: "end", y1: low - 0.05 * (high - low || 1), y2: "overall", fill: "var(--overall)", fillOpacity: (part) => (part.place === place ? 0.9 : 0.25), insetRight: 0.5 }),
      Plot.tip(stretches, Plot.pointerX({ x: "middle", y: "overall", title: told, fill: "var(--back)" })),
    ],
  })));
  return [element("h3", {}, "In the video"), chart, element("p", {}, beside(-1, "Part before"), " ", beside(1, "Part after"))];
}

// ---- filters
options(byId("filter-score"), numbers.map((name) => [name, LABELS[name] || name]), "overall");
if (hasGroups) {
  options(byId("filter-column"), Object.keys(data.groups).map((name) => [name, name]));
  const levels = () => options(byId("filter-level"), [["", "any"], ...data.groups[byId("filter-column").value].levels.map((level, code) => [String(code), level])]);
  byId("filter-column").addEventListener("change", levels);
  byId("filters").addEventListener("reset", () => setTimeout(levels));
  levels();
}
const bound = (id) => (byId(id).value === "" ? null : Number(byId(id).value));
table.search.fixed("filters", (text, row, number) => {
  const place = places[number];
  const value = data.columns[byId("filter-score").value][place];
  const [low, high] = [bound("filter-low"), bound("filter-high")];
  if ((low !== null || high !== null) && value === null) return false;
  if ((low !== null && value < low) || (high !== null && value > high)) return false;
  if (hasGroups && byId("filter-level").value !== "" && data.groups[byId("filter-column").value].codes[place] !== Number(byId("filter-level").value)) return false;
  if (byId("filter-weak").checked && !weak(place)) return false;
  return !byId("filter-notes").checked || Boolean(data.notes[place]);
});
byId("filters").addEventListener("input", () => table.draw());
byId("filters").addEventListener("change", () => table.draw());
byId("filters").addEventListener("reset", () => setTimeout(() => table.search("").draw()));
byId("filters").addEventListener("submit", (event) => event.preventDefault());

// ---- panel of a video
const panel = byId("panel");
let shown = null;
let panelRedraws = [];
function curvesOf(place) {
  const packed = bytes(data.curves[place]);
  const moments = packed.length / (2 + SCORES.length);
  const view = new DataView(packed.buffer);
  const [last] = data.spans[place];
  const times = d3.range(moments).map((moment) => (last === null ? moment : startOf(place) + (last * view.getUint16(2 * moment, true)) / 65535));
  const curves = {};
  SCORES.forEach((name, order) => {
    const [low, high] = data.ranges[name];
    curves[name] = d3.range(moments).map((moment) => low + ((high - low) * packed[moments * (2 + order) + moment]) / 255);
  });
  return { moments, times, curves, known: last !== null };
}
function crop(place, moment, moments, extra = {}) {
  const [wide, high] = data.tiles[place];
  const svg = drawn("svg", { viewBox: `0 0 ${wide} ${high}`, ...extra });
  // Where the strip lies beside the page and is not there, the thumbnail remains.
  if (!(data.pictures.strips || {})[place]) svg.append(drawn("image", { href: pictured("thumbs", place), x: 0, y: 0, width: wide, height: high, preserveAspectRatio: "none" }));
  svg.append(drawn("image", { href: pictured("strips", place), x: 0, y: -moment * high, width: wide, height: high * moments, preserveAspectRatio: "none" }));
  return svg;
}
function overlay(place, moment, moments, branch) {
  const [wide, high, tw, th, aw, ah] = data.tiles[place];
  const [columns, rows, left] = branch === "technical" ? [tw, th, 0] : [aw, ah, tw];
  const cells = new DataView(bytes(data.cells[place]).buffer);
  const worst = cells.getUint16(2 * ((branch === "technical" ? 0 : moments) + moment), true);
  const [x, y] = [(worst % columns) * (wide / columns), Math.floor(worst / columns) * (high / rows)];
  const map = drawn("svg", { x: 0, y: 0, width: wide, height: high, viewBox: `${left} ${moment * rows} ${columns} ${rows}`, preserveAspectRatio: "none", overflow: "hidden", opacity: 0.6, class: "map" });
  map.append(drawn("image", { href: pictured("maps", place), x: 0, y: 0, width: tw + aw, height: rows * moments, preserveAspectRatio: "none", filter: "url(#colours)", style: "image-rendering:pixelated" }));
  const frame = { x, y, width: wide / columns, height: high / rows, fill: "none" };
  return [map, drawn("rect", { ...frame, stroke: "#000", "stroke-width": 2.5 }), drawn("rect", { ...frame, stroke: "#fff", "stroke-width": 1, class: "worst" })];
}
function openPanel(place) {
  if (shown === null) panel.showModal();
  shown = place;
  panelRedraws = [];
  byId("panel-title").replaceChildren(element("bdi", {}, data.names[place]));
  const scores = element("dl", { class: "scores" }, ...present.map((name) => element("div", {}, element("dt", {}, name), element("dd", {}, digits(data.columns[name][place])))));
  const facts = numbers.filter((name) => !present.includes(name) && name !== "width" && name !== "height" && data.columns[name][place] !== null).map((name) => `${LABELS[name] || name} ${digits(data.columns[name][place], DIGITS[name] ?? 3)}`);
  facts.push(...[size(place), data.codec[place]].filter(Boolean));
  const groups = Object.entries(data.groups).filter(([, group]) => group.codes[place] >= 0).map(([name, group]) => `${name}: ${group.levels[group.codes[place]]}`);
  const body = [scores, element("p", { class: "hint" }, [...facts, ...groups].join(" · "))];
  if (data.notes[place]) body.push(element("p", {}, `Note: ${data.notes[place].join("; ")}`));
  if (data.parts) body.push(...around(place));
  byId("panel-body").replaceChildren(...body, ...(data.curves[place] ? [evidence(place)] : [element("p", { class: "hint" }, "There are no maps and pictures of this video: it was scored with report=false, or elsewhere.")]));
  requestAnimationFrame(() => panelRedraws.forEach((redraw) => redraw()));
  panel.scrollTop = 0;
  if (location.hash !== `#video-${place}`) history.replaceState(null, "", `#video-${place}`);
}
function evidence(place) {
  const { moments, times, curves, known } = curvesOf(place);
  const [worstWords, bestWords, worst, best, worstBranch, bestBranch] = data.words[place];
  const stretches = data.stretches[place] || [];
  let moment = worst;
  let branch = worstBranch === "aesthetic" ? "aesthetic" : "technical";
  const frame = element("div");
  const when = element("p", { "aria-live": "polite" });
  const chart = element("figure");
  const film = element("div", { class: "film", role: "group", "aria-label": "Frames looked at" });
  const slider = element("input", { type: "range", min: 0, max: moments - 1, value: moment, "aria-label": "Moment", style: "width:100%", oninput: () => go(Number(slider.value)) });
  const time = (place_) => (known ? `${times[place_].toFixed(2)} s` : `moment ${place_ + 1}`);
  const from = startOf(place);
  const till = data.spans[place][1] === null ? times[moments - 1] : from + data.spans[place][1];
  const redraw = () => {
    const lines = SCORES.flatMap((name) => curves[name].map((value, at) => ({ name, value, time: times[at], at })));
    if (moments === 1) return;
    const drawnChart = plot(chart, "Quality over time: semantic, technical, aesthetic and their sum", {
      height: 230, most: 640, marginLeft: 44, x: { label: known ? "time (s)" : "moment", domain: known && till > from ? [from, till] : undefined }, y: { grid: true, label: "score" },
      color: { domain: SCORES, range: SCORES.map((name) => COLOURS[name]) },
      marks: [
        Plot.rect(stretches, { x1: "0", x2: "1", fill: (stretch) => COLOURS[stretch[2]], fillOpacity: 0.13 }),
        Plot.lineY(lines, { x: "time", y: "value", stroke: "name", strokeWidth: 2, z: "name" }),
        Plot.dot(lines, { x: "time", y: "value", fill: "name", r: 2.5 }),
        Plot.ruleX([times[moment]], { stroke: "var(--fore)", strokeDasharray: "3,3" }),
        Plot.tip(lines, Plot.pointer({ x: "time", y: "value", title: (line) => `${line.name} ${digits(line.value, 2)}\n${time(line.at)}`, fill: "var(--back)" })),
      ],
    });
    drawnChart.addEventListener("click", () => drawnChart.value && go(drawnChart.value.at));
  };
  const go = (to) => {
    moment = to;
    slider.value = to;
    slider.setAttribute("aria-valuetext", time(to));
    when.textContent = `${time(to)}: ${SCORES.map((name) => `${name} ${digits(curves[name][to], 2)}`).join(", ")}`;
    if (hasPictures(place)) {
      const picture = crop(place, to, moments, { class: "frame", role: "img", "aria-label": `Frame at ${time(to)}${branch === "none" ? "" : ` with the ${branch} map; its worst cell is marked`}` });
      if (branch !== "none") picture.append(...overlay(place, to, moments, branch));
      frame.replaceChildren(picture);
    }
    [...film.children].forEach((button, number) => button.setAttribute("aria-current", String(number === to)));
    const current = film.children[to];
    if (current) film.scrollLeft = current.offsetLeft - film.offsetLeft - film.clientWidth / 2;
    redraw();
  };
  if (hasPictures(place)) film.append(...d3.range(moments).map((number) => element("button", { type: "button", "aria-label": `Frame at ${time(number)}`, onclick: () => go(number) }, crop(place, number, moments, { "aria-hidden": "true", width: data.tiles[place][0], height: data.tiles[place][1] }))));
  const choice = element("fieldset", {}, element("legend", { class: "unseen" }, "Map over the frame"), ...["technical", "aesthetic", "none"].map((name) => element("label", {}, element("input", { type: "radio", name: "map", value: name, checked: name === branch, onchange: () => { branch = name; go(moment); } }), name === "none" ? " no map" : ` ${name} map`)));
  // The semantic map is not drawn: it tells no places apart.
  const show = (to, by) => {
    if (by !== "semantic") {
      branch = by;
      choice.querySelector(`[value=${branch}]`).checked = true;
    }
    go(to);
  };
  const [low, high] = data.scale;
  const bar = `background:linear-gradient(90deg,${VIRIDIS.map((colour) => colour.formatHex()).join(",")})`;
  const legend = element("p", { class: "legend" }, digits(low, 2), element("i", { style: bar }), digits(high, 2));
  const words = moments === 1 ? element("p", {}, `weakest: ${worstWords}; best: ${bestWords}`) : element("p", {}, "worst at ", element("button", { type: "button", class: "link", onclick: () => show(worst, worstBranch) }, worstWords), "; best at ", element("button", { type: "button", class: "link", onclick: () => show(best, bestBranch) }, bestWords));
  const nearest = (second) => d3.leastIndex(times, (a, b) => Math.abs(a - second) - Math.abs(b - second));
  const list = stretches.map((stretch) => element("li", {}, element("button", { type: "button", class: "link", onclick: () => show(nearest(stretch[4]), stretch[2]) }, `${stretch[0].toFixed(2)} to ${stretch[1].toFixed(2)} s`), `: ${stretch[2]}, ${digits(stretch[3], 2)} below the video's median (frame ${stretch[5]})`));
  const few = moments < 4 ? `This ${data.parts ? "part" : "video"} was looked at ${moments} times: too few to find weak stretches.` : "None: no branch falls clearly below its own median at the moments looked at.";
  const left = element("div", {}, frame, hasPictures(place) ? choice : "", ...(hasPictures(place) ? [legend, element("p", { class: "hint" }, "Yellow is better. One scale for the whole report; the worst cell is framed.")] : []));
  const keys = element("p", { class: "keys hint" }, ...SCORES.map((name) => element("span", {}, element("i", { style: `background:${COLOURS[name]}` }), name)));
  const right = element("div", {}, element("h3", {}, "Quality over time"), chart, keys, slider, when);
  const over = [film, element("h3", {}, "Weak stretches"), list.length ? element("ul", {}, ...list) : element("p", { class: "hint" }, few)];
  const whole = moments === 1 ? element("div", {}, words, left) : element("div", {}, words, element("div", { class: "two" }, left, right), ...over);
  panelRedraws.push(() => go(moment));
  return whole;
}
redraws.push(() => shown !== null && panelRedraws.forEach((redraw) => redraw()));
function step(by) {
  const order = table.rows({ search: "applied", order: "applied" }).data().toArray();
  const next = order[order.indexOf(shown) + by];
  if (next !== undefined) openPanel(next);
}
byId("panel-close").addEventListener("click", () => panel.close());
byId("panel-previous").addEventListener("click", () => step(-1));
byId("panel-next").addEventListener("click", () => step(1));
panel.addEventListener("click", (event) => event.target === panel && panel.close());
panel.addEventListener("close", () => {
  shown = null;
  history.replaceState(null, "", location.pathname + location.search);
});
const asked = /^#video-(\d+)$/.exec(location.hash);
if (asked && Number(asked[1]) < count) openPanel(Number(asked[1]));
document.documentElement.dataset.ready = "true";
