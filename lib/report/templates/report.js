"use strict";

/* The page: sections come to life near the viewport and let go of their videos far from it. */

const openPlayers = new Map(); // section -> player

function openSection(section) {
  if (!openPlayers.has(section)) openPlayers.set(section, buildSection(section));
  openPlayers.get(section)?.load();
}

function buildSection(section) {
  const body = section.querySelector("script[type='text/html']");
  body.insertAdjacentHTML("beforebegin", body.textContent);
  body.remove();
  section.classList.remove("waiting");
  const island = JSON.parse(section.querySelector("script[type='application/json']").textContent);
  const root = section.querySelector(".player");
  const charts = section.querySelector(".charts");
  let player = null;
  const cursors = island.charts.map((chart) => drawChart(charts, chart, (index) => player?.seek(index)));
  const facts = section.querySelector("details.facts");
  facts?.addEventListener("toggle", () => fillFacts(facts, island.facts), { once: true });
  if (root) player = makePlayer(root, island.times, (index) => cursors.forEach((move) => move(index)));
  return player;
}

function fillFacts(details, facts) {
  for (const [title, values] of facts) {
    htmlElement("h3", "", title, details);
    const table = htmlElement("table", "", "", details);
    for (const [key, value] of flatten(values)) {
      const row = table.insertRow();
      htmlElement("th", "", key, row).scope = "row";
      htmlElement("td", "", value, row).dir = "auto";
    }
  }
}

function flatten(values, prefix = "") {
  return Object.entries(values).flatMap(([key, value]) => {
    if (value !== null && typeof value === "object" && !Array.isArray(value)) return flatten(value, `${prefix}${key} · `);
    return [[prefix + key, Array.isArray(value) ? value.map(writeEntry).join(", ") || "–" : String(value ?? "–")]];
  });
}

function writeEntry(entry) {
  return entry !== null && typeof entry === "object" ? JSON.stringify(entry) : String(entry);
}

/* Sorting and the filter. */

function sortBy(table, column) {
  const headings = [...table.tHead.rows[0].cells];
  const rising = headings[column].getAttribute("aria-sort") !== "ascending";
  headings.forEach((cell) => cell.hasAttribute("aria-sort") && cell.setAttribute("aria-sort", "none"));
  headings[column].setAttribute("aria-sort", rising ? "ascending" : "descending");
  const body = table.querySelector("tbody.rows");
  const numeric = headings[column].classList.contains("number");
  const keyed = [...body.rows].map((row) => [sortKey(row.cells[column], numeric), row]);
  const collator = new Intl.Collator(undefined, { numeric: true });
  keyed.sort(([first], [second]) => {
    if (first === null || second === null) return (first === null) - (second === null); // the unknown last
    const order = typeof first === "number" && typeof second === "number" ? first - second : collator.compare(first, second);
    return rising ? order : -order;
  });
  body.append(...keyed.map(([, row]) => row));
}

function sortKey(cell, numeric) {
  const text = cell.dataset.sort ?? cell.textContent.trim();
  if (text === "" || text === "–") return null;
  return numeric && !Number.isNaN(Number(text)) ? Number(text) : text;
}

function filterRows(table, query) {
  const words = query.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  const shown = new Set();
  let numShown = 0;
  const rows = [...table.querySelector("tbody.rows").rows];
  for (const row of rows) {
    const text = row.textContent.toLocaleLowerCase();
    row.hidden = !words.every((word) => text.includes(word));
    if (row.hidden) continue;
    numShown += 1;
    shown.add(row.querySelector("th a").hash);
  }
  for (const section of document.querySelectorAll("section.edit")) section.hidden = !shown.has(`#${section.id}`);
  document.getElementById("filter-count").textContent = words.length ? `${numShown} of ${rows.length}` : "";
}

/* Keys: space plays and pauses, the arrows step, in the edit that was last used or else is most in view. */

function chooseSection() {
  const focused = document.activeElement?.closest("section.edit");
  if (focused) return focused;
  if (playingPlayer) return playingPlayer.root.closest("section.edit");
  const distance = (section) => {
    const box = section.querySelector(".player")?.getBoundingClientRect();
    return box ? Math.abs((box.top + box.bottom - innerHeight) / 2) : Infinity;
  };
  const near = [...openPlayers.keys()].filter((section) => !section.hidden && distance(section) < innerHeight);
  return near.sort((first, second) => distance(first) - distance(second))[0];
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  const taken = { " ": "input[type=search], select, button, summary, a", ArrowLeft: "input, select", ArrowRight: "input, select" };
  if (!(event.key in taken) || event.target.closest(taken[event.key]) || event.target.closest(".scroller, pre")) return;
  const player = openPlayers.get(chooseSection());
  if (!player) return;
  event.preventDefault();
  if (event.key === " ") player.toggle();
  else player.step(event.key === "ArrowLeft" ? -1 : 1);
}

/* The sections before the one jumped to take their true height as they come near, which moves it. */
function settle() {
  setTimeout(() => document.getElementById(location.hash.slice(1))?.scrollIntoView(), 150); // ms
}

function start() {
  document.documentElement.classList.remove("parsing");
  const table = document.getElementById("batch-table");
  for (const button of table.tHead.querySelectorAll("button"))
    button.addEventListener("click", () => sortBy(table, button.closest("th").cellIndex));
  const filter = document.getElementById("filter");
  filter.addEventListener("input", () => filterRows(table, filter.value));
  if (filter.value) filterRows(table, filter.value); // a reloaded page keeps what was typed
  document.addEventListener("keydown", onKey);
  addEventListener("hashchange", settle);
  if (location.hash) settle();
  const watcher = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries)
        if (isIntersecting) openSection(target);
        else openPlayers.get(target)?.unload();
    },
    { rootMargin: "60% 0px" },
  );
  for (const section of document.querySelectorAll("section.edit")) watcher.observe(section);
}

start();
