"use strict";

/* Parts of the page that are loaded when they are asked for, and the edit on show. */

const awaitedParts = new Map(); // address -> what takes the part

/* Each script of the folder parts calls this. */
function receivePart(address, part) {
  awaitedParts.get(address)?.(part);
}

function loadPart(address) {
  return new Promise((resolve, reject) => {
    awaitedParts.set(address, resolve);
    const script = document.createElement("script");
    script.onload = script.onerror = () => {
      script.remove();
      awaitedParts.delete(address);
      reject(new Error(`${address} is not beside the page`)); // of no effect where the part has come
    };
    script.setAttribute("src", address);
    document.head.append(script);
  });
}

/* Shows one edit at a time in its section; `known` are the ids that the address may name. */
function makeEditView(known) {
  const section = document.getElementById("edit");
  const body = section.querySelector(".edit-body");
  const nav = section.querySelector(".edit-nav");
  let openId = null;
  let player = null;
  let areUnfolded = false; // the measurements: whoever compares edits sees those of the next, too
  const watcher = new IntersectionObserver(
    ([entry]) => (entry.isIntersecting ? player?.load() : player?.unload()),
    { rootMargin: "60% 0px" },
  );

  async function open(id, order) {
    openId = id;
    section.setAttribute("aria-busy", "true");
    const part = known.has(id) ? await loadPart(`parts/edits/${id}.js`).catch(whyNot) : { why: "no such edit is in the batch" };
    if (id !== openId) return; // another was asked for meanwhile
    letGo();
    if (part.why) htmlElement("p", "note failed", `${id} cannot be shown: ${part.why}.`, body);
    else fill(part);
    section.hidden = false;
    section.removeAttribute("aria-busy");
    showPlace(order);
    bringIntoView();
  }

  function fill(part) {
    body.innerHTML = part.html; // names in it were escaped when it was written
    const root = body.querySelector(".player");
    const moveCursors = fillMeasurements(part);
    if (!root) return;
    player = makePlayer(root, part.times, moveCursors);
    watcher.observe(root);
  }

  /* Curves and settings are drawn when they unfold; returns what moves the cursors of the curves to a frame. */
  function fillMeasurements({ charts, facts }) {
    const measurements = body.querySelector(".measurements");
    const settings = body.querySelector("details.facts");
    const place = body.querySelector(".charts");
    let cursors = null;
    measurements?.addEventListener("toggle", () => {
      areUnfolded = measurements.open;
      if (!areUnfolded || cursors) return;
      cursors = charts.map((chart) => drawChart(place, chart, (index) => player?.seek(index)));
      if (player) cursors.forEach((move) => move(player.frame()));
    });
    settings?.addEventListener("toggle", () => fillFacts(settings, facts), { once: true });
    if (measurements) measurements.open = areUnfolded;
    return (index) => cursors?.forEach((move) => move(index));
  }

  function letGo() {
    watcher.disconnect();
    player?.unload();
    player = null;
    body.replaceChildren();
  }

  function close() {
    openId = null;
    letGo();
    section.hidden = true;
  }

  /* Says which of the table's edits this is, and leads to its neighbours there. */
  function showPlace(order) {
    const index = order.indexOf(openId);
    const place = index < 0 ? "not among the rows of the table" : `${writeCount(index + 1)} of ${writeCount(order.length)}`;
    nav.querySelector(".place").textContent = place;
    setLink(nav.querySelector(".previous"), index < 0 ? undefined : order[index - 1]);
    setLink(nav.querySelector(".next"), order[index + 1]);
  }

  function setLink(link, id) {
    if (id === undefined) link.removeAttribute("href");
    else link.setAttribute("href", `#${id}`);
  }

  /* Whoever walks from edit to edit stays at the same height, and on the same link. */
  function bringIntoView() {
    if (nav.contains(document.activeElement)) {
      if (section.getBoundingClientRect().top < 0) return;
    } else section.focus({ preventScroll: true });
    section.scrollIntoView();
  }

  function playerInView() {
    if (!player) return null;
    const box = player.root.getBoundingClientRect();
    const isNear = Math.abs((box.top + box.bottom - innerHeight) / 2) < innerHeight;
    return isNear || section.contains(document.activeElement) || playingPlayer === player ? player : null;
  }

  return { open, close, showPlace, playerInView, openId: () => openId };
}

function whyNot(error) {
  return { why: error.message };
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
