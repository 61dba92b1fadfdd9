"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const SCORES = ["overall", "semantic", "technical", "aesthetic"];
const COLOURS = Object.fromEntries(SCORES.map((name) => [name, `var(--${name})`]));

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}
function drawn(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}
const byId = (id) => document.getElementById(id);
const digits = (value, count = 3) => (value === null || value === undefined ? "" : value.toFixed(count));
function clock(seconds) {
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, String(Math.floor(seconds % 60)).padStart(2, "0")];
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}
const escaped = (text) => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
function bytes(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
function width(node, most = 1200) {
  return Math.max(260, Math.min(most, node.clientWidth || most));
}
function plot(node, label, options) {
  const made = Plot.plot({ width: width(node, options.most), style: { fontSize: "12px" }, ...options });
  // Plot labels groups of marks, which nobody reaches inside a picture.
  made.querySelectorAll("[aria-label]").forEach((node) => node.removeAttribute("aria-label"));
  made.setAttribute("role", "img");
  made.setAttribute("aria-label", label);
  node.replaceChildren(made);
  return made;
}
function options(select, values, chosen) {
  select.replaceChildren(...values.map(([value, text]) => element("option", { value, selected: value === chosen }, text)));
}
// Charts follow the width of the window.
const redraws = [];
function draw(redraw) {
  redraws.push(redraw);
  redraw();
}
let waiting = 0;
addEventListener("resize", () => {
  cancelAnimationFrame(waiting);
  waiting = requestAnimationFrame(() => redraws.forEach((redraw) => redraw()));
});
