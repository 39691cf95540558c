"use strict";

/* Small line charts as inline SVG: loss curves, and metrics per frame with a line for the frame on show. */

const CHART = { width: 360, height: 150, left: 46, right: 8, top: 8, bottom: 20 };
const SMOOTHING = 0.9; // share of the running mean that each step keeps

function svgElement(name, attributes, parent) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  parent?.append(element);
  return element;
}

function htmlElement(name, className, text, parent) {
  const element = document.createElement(name);
  if (className) element.className = className;
  element.textContent = text;
  parent?.append(element);
  return element;
}

function smooth(values) {
  let mean = 0;
  let weight = 0;
  return values.map((value) => {
    if (value === null) return weight ? mean / weight : null;
    mean = SMOOTHING * mean + (1 - SMOOTHING) * value;
    weight = SMOOTHING * weight + (1 - SMOOTHING); // corrects the bias of the first steps
    return mean / weight;
  });
}

function formatValue(value) {
  return value === null || value === undefined ? "–" : String(Number(value.toPrecision(4)));
}

/* Round numbers that span the values, two to five of them. */
function chooseTicks(low, high) {
  const span = high - low || Math.abs(high) || 1;
  const power = 10 ** Math.floor(Math.log10(span / 3));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => span / size <= 4);
  const ticks = [];
  for (let tick = Math.ceil(low / step - 1e-9); tick * step <= high + step * 1e-9; tick += 1) ticks.push(tick * step);
  return ticks;
}

function listLines(chart) {
  let numEdited = 0;
  if (chart.kind === "loss") {
    const { values } = chart.lines[0];
    return [
      { label: "each step", style: "raw", values },
      { label: "smoothed", style: "edited-0", values: smooth(values) },
    ];
  }
  return chart.lines.map(({ label, kind, values }) => ({
    label,
    values,
    style: kind === "edited" ? `edited-${numEdited++ % 6}` : kind,
  }));
}

function makePath(values, toX, toY) {
  let pen = "M";
  let path = "";
  values.forEach((value, index) => {
    if (value === null) return (pen = "M");
    path += `${pen}${toX(index).toFixed(1)} ${toY(value).toFixed(1)}`;
    pen = "L";
  });
  return path;
}

/* The values to span. A line that never changes, such as the perfect score of an unedited copy, takes part only
   if it lies near the others: it would flatten their course otherwise. */
function chooseRange(lines) {
  const isFlat = (values) => values.every((value) => value === values[0]);
  const moving = lines.filter((values) => !isFlat(values)).flat();
  const flat = lines.filter((values) => values.length && isFlat(values)).map((values) => values[0]);
  let [low, high] = moving.length ? [Math.min(...moving), Math.max(...moving)] : [Math.min(...flat), Math.max(...flat)];
  const span = high - low || Math.abs(high) || 1;
  const near = moving.length ? flat.filter((value) => value > low - span && value < high + span) : flat;
  [low, high] = [Math.min(low, ...near), Math.max(high, ...near)];
  return [low >= 0 ? Math.max(0, low - span * 0.06) : low - span * 0.06, high + span * 0.06];
}

/* Draws one chart; returns a function that moves its cursor to an index. */
function drawChart(parent, chart, onSeek) {
  const lines = listLines(chart);
  const numPoints = Math.max(...lines.map((line) => line.values.length));
  const [low, high] = chooseRange(lines.map((line) => line.values.filter((value) => value !== null)));

  const { width, height, left, right, top, bottom } = CHART;
  const toX = (index) => left + (index / Math.max(1, numPoints - 1)) * (width - left - right);
  const toY = (value) => top + (1 - (value - low) / (high - low)) * (height - top - bottom);

  const figure = htmlElement("figure", "chart", "", parent);
  htmlElement("figcaption", "", chart.title, figure);
  const svg = svgElement("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": describe(chart, lines) }, figure);
  for (const tick of chooseTicks(low, high)) {
    svgElement("line", { class: "grid", x1: left, x2: width - right, y1: toY(tick), y2: toY(tick) }, svg);
    svgElement("text", { class: "tick-y", x: left - 6, y: toY(tick) + 3.5 }, svg).textContent = formatValue(tick);
  }
  const labelOf = (index) => String(chart.x ? chart.x[index] : index);
  const unit = chart.kind === "loss" ? "step" : "frame";
  svgElement("text", { class: "tick-x", x: left, y: height - 5 }, svg).textContent = `${unit} ${labelOf(0)}`;
  svgElement("text", { class: "tick-x end", x: width - right, y: height - 5 }, svg).textContent = labelOf(numPoints - 1);
  const isOn = (value) => value === null || (value >= low && value <= high);
  for (const line of lines) {
    line.isDrawn = line.values.every(isOn);
    if (line.isDrawn) svgElement("path", { class: `line ${line.style}`, d: makePath(line.values, toX, toY) }, svg);
  }
  const cursor = svgElement("line", { class: "cursor", y1: top, y2: height - bottom }, svg);

  const legend = htmlElement("ul", "legend", "", figure);
  const readings = lines.map((line) => {
    const entry = htmlElement("li", line.style, `${line.label}${line.isDrawn ? "" : " (off the scale)"} `, legend);
    return htmlElement("span", "reading", "", entry);
  });

  function moveTo(index) {
    const nearest = Math.min(index, numPoints - 1);
    cursor.setAttribute("x1", toX(nearest));
    cursor.setAttribute("x2", toX(nearest));
    lines.forEach((line, number) => (readings[number].textContent = formatValue(line.values[nearest])));
  }

  let resting = chart.kind === "loss" ? numPoints - 1 : 0;
  function indexUnder(event) {
    const box = svg.getBoundingClientRect();
    const across = ((event.clientX - box.left) / box.width) * width;
    const index = Math.round(((across - left) / (width - left - right)) * (numPoints - 1));
    return Math.max(0, Math.min(numPoints - 1, index));
  }
  svg.addEventListener("pointermove", (event) => moveTo(indexUnder(event)));
  svg.addEventListener("pointerleave", () => moveTo(resting));
  if (chart.kind === "frames") svg.addEventListener("click", (event) => onSeek(indexUnder(event)));
  moveTo(resting);
  return (index) => {
    if (chart.kind === "frames") moveTo((resting = index));
  };
}

function describe(chart, lines) {
  const parts = lines.map(({ label, values }) => {
    const known = values.filter((value) => value !== null);
    if (!known.length) return `${label}: no values`;
    return `${label}: ${formatValue(Math.min(...known))} to ${formatValue(Math.max(...known))}`;
  });
  return `${chart.title}. ${parts.join("; ")}`;
}
