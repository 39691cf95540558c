"use strict";

/* The gallery: source and edited video of each edit side by side, a page of those that the filter leaves, in the
   table's order. Pairs in view play in step; the others hold no decoder. Where less motion is asked for, and after
   "Pause all", each shows its first frame until its own button is pressed. `sources` are those of the clips, by id. */

const MOST_AT_ONCE = 6; // pairs that play, each with two decoders
const IN_VIEW = 0.5; // share of a pair's area
const CALM = 120; // milliseconds without scrolling across a pair: nothing loads for whoever only passes by
const LATEST_START = 500; // milliseconds after the page has loaded, on a busy machine

function makeGallery(rows, sources, onFind) {
  const section = document.getElementById("gallery");
  const list = section.querySelector(".tiles");
  const find = document.getElementById("find");
  const motion = section.querySelector(".motion");
  const methods = section.querySelector(".method-shown");
  const lessMotion = matchMedia("(prefers-reduced-motion: reduce)");
  const numEdits = new Set(rows.map((row) => row.id)).size;
  const pager = makePager(section.querySelector(".pager"), numEdits, drawFromTop);
  const watcher = new IntersectionObserver(noteShares, { threshold: [0, 0.25, 0.5, 0.75, 1] });
  let edits = []; // rows of each edit that the filter leaves
  let tiles = new Map(); // by row, of those on show
  let isMoving = !lessMotion.matches;
  let waiting = 0; // the timer that arranges
  let hasBegun = false; // the page itself comes first, then pictures and videos

  function draw() {
    const chosen = pager.slice(edits).map((methodRows) => methodRows.find((row) => row.method === methods?.value) ?? methodRows[0]);
    const before = tiles;
    tiles = new Map(chosen.map((row) => [row, before.get(row) ?? makeTile(row, sources[row.id.split("/")[0]], Boolean(methods))]));
    for (const tile of before.values()) {
      if (tiles.get(tile.row) !== tile) {
        watcher.unobserve(tile.stage);
        tile.leave();
      }
    }
    list.replaceChildren(...[...tiles.values()].map((tile) => tile.root));
    for (const tile of tiles.values()) watcher.observe(tile.stage);
    section.querySelector(".count").textContent = countEdits();
  }

  function countEdits() {
    if (!edits.length) return "no edited video matches";
    if (edits.length < numEdits) return `${writeCount(edits.length)} of ${writeCount(numEdits)} edits`;
    return `${writeCount(numEdits)} edit${numEdits === 1 ? "" : "s"}`;
  }

  function drawFromTop() {
    draw();
    section.scrollIntoView();
  }

  /* Takes the rows that the table shows, and what they were found by. */
  function show(shown, text) {
    const byEdit = new Map();
    for (const row of shown) {
      const known = byEdit.get(row.id);
      if (known) known.push(row);
      else byEdit.set(row.id, [row]);
    }
    edits = [...byEdit.values()];
    if (find.value !== text) find.value = text;
    pager.toStart();
    draw();
  }

  function noteShares(entries) {
    const byStage = new Map([...tiles.values()].map((tile) => [tile.stage, tile]));
    for (const { target, intersectionRatio } of entries) {
      if (byStage.has(target)) byStage.get(target).share = intersectionRatio;
    }
    clearTimeout(waiting);
    waiting = setTimeout(arrange, CALM);
  }

  /* Lets those play that are in view; of too many the ones that were asked for, then those nearest the middle. */
  function arrange() {
    if (!hasBegun) return;
    const seen = [...tiles.values()].filter((tile) => tile.share >= IN_VIEW);
    const playing = new Set(seen.length > MOST_AT_ONCE ? sortByUrgency(seen).slice(0, MOST_AT_ONCE) : seen);
    for (const tile of tiles.values()) {
      tile.showStills();
      if (playing.has(tile)) tile.enter(isMoving);
      else if (tile.share > 0) tile.rest();
      else tile.leave();
    }
  }

  function rest() {
    clearTimeout(waiting);
    for (const tile of tiles.values()) tile.rest();
  }

  function begin() {
    hasBegun = true;
    arrange();
  }

  function setMoving(wanted) {
    isMoving = wanted;
    motion.textContent = isMoving ? "Pause all" : "Play all";
    list.classList.toggle("still", !isMoving);
    for (const tile of tiles.values()) tile.forget();
    arrange();
  }

  /* Turns to the page with an edit, and puts the focus on its name. */
  function goTo(id) {
    const index = edits.findIndex(([row]) => row.id === id);
    if (index < 0) return;
    pager.toEntry(index);
    draw();
    const { root } = [...tiles.values()].find((tile) => tile.row.id === id);
    root.scrollIntoView({ block: "center" });
    root.querySelector("a").focus({ preventScroll: true });
  }

  section.hidden = rows.length === 0;
  find.addEventListener("input", () => onFind(find.value));
  motion.addEventListener("click", () => setMoving(!isMoving));
  methods?.addEventListener("change", draw);
  lessMotion.addEventListener("change", () => setMoving(!lessMotion.matches));
  addEventListener("load", () => whenIdle(begin));
  setMoving(isMoving);
  return { show, goTo, arrange, rest };
}

function whenIdle(act) {
  if (window.requestIdleCallback) requestIdleCallback(act, { timeout: LATEST_START });
  else setTimeout(act, LATEST_START / 2);
}

function sortByUrgency(tiles) {
  const place = ({ stage, isAsked }) => {
    const box = stage.getBoundingClientRect();
    return isAsked() ? -1 : Math.abs(box.top + box.bottom - innerHeight);
  };
  return tiles.map((tile) => [place(tile), tile]).sort(([first], [second]) => first - second).map(([, tile]) => tile);
}

/* Draws a row after the pattern; of what its edit has not, it says why. */
function makeTile(row, source, areSeveral) {
  const root = document.importNode(document.getElementById("tile").content, true).querySelector(".tile");
  const stage = root.querySelector(".stage");
  const { tile } = row;
  root.style.setProperty("--aspect", source.aspect);
  nameTile(root, row);
  for (const figure of root.querySelectorAll("[data-metric]")) fillFigure(figure, tile.figures?.[figure.dataset.metric]);
  const videos = [...stage.querySelectorAll("video")].filter((video) => {
    if (video.dataset.kind === "source") return fillVideo(video, source.video, source.poster, row, "Source");
    return fillVideo(video, tile.edited, row.thumbnail, row, areSeveral ? `Edited · ${row.method}` : "Edited");
  });
  const instead = stage.querySelector(".instead");
  if (tile.edited) instead.remove();
  else sayWhyNot(instead, row);
  stage.classList.toggle("alone", !videos.length);
  return { row, root, stage, share: 0, ...makePair(root, videos, source) };
}

function nameTile(root, row) {
  const link = root.querySelector("h3 a");
  link.setAttribute("href", `#${row.id}`);
  link.querySelector(".clip").textContent = row.clip;
  link.querySelector(".name").textContent = row.edit;
  const status = root.querySelector(".status");
  status.textContent = row.status;
  status.classList.add(row.status.replace(" ", "-"));
}

function fillFigure(figure, values) {
  if (!values) return figure.remove();
  [figure.querySelector("strong").textContent, figure.querySelector(".control").textContent] = values;
}

function fillVideo(video, address, poster, row, label) {
  if (!address) {
    video.closest("figure").remove();
    return false;
  }
  video.dataset.src = address;
  if (poster) video.dataset.poster = poster;
  video.closest("figure").querySelector("figcaption").textContent = label;
  video.setAttribute("aria-label", `${label}: ${row.clip} / ${row.edit}`);
  return true;
}

function sayWhyNot(instead, row) {
  const [stage, reason] = row.tile.failed ?? ["", ""];
  instead.classList.add(row.status.replace(" ", "-"));
  instead.querySelector("strong").textContent = row.tile.failed ? `Failed in ${stage}` : NOT_THERE[row.status];
  instead.querySelector(".why").textContent = reason;
  if (!row.tile.failed && row.thumbnail) {
    const picture = document.createElement("img");
    Object.assign(picture, { loading: "lazy", alt: "the edited first frame" });
    picture.setAttribute("src", row.thumbnail);
    instead.prepend(picture);
  }
}

const NOT_THERE = { "not run": "Not run yet", failed: "Failed", done: "The video is missing" };

/* Both videos of a tile. What its button was pressed for goes before what holds for all. */
function makePair(root, videos, { frames = 0, fps = 25 }) {
  const times = Array.from({ length: frames }, (_, index) => index / fps);
  const inStep = playInStep(videos, times, { onPlaying: noteState });
  const button = root.querySelector(".play");
  const name = root.querySelector("h3").textContent;
  let asked = null;
  if (!videos.length) button.remove();

  function noteState(playing) {
    root.classList.toggle("playing", playing);
    root.querySelector(".play")?.setAttribute("aria-label", `${playing ? "Pause" : "Play"} ${name}`);
  }

  function enter(isMoving) {
    if (!videos.length) return;
    inStep.load();
    const wanted = asked ?? isMoving;
    if (wanted !== inStep.isPlaying()) inStep.toggle();
  }

  button.addEventListener("click", () => {
    asked = !inStep.isPlaying();
    inStep.load();
    inStep.toggle();
  });
  noteState(false);
  return {
    enter,
    showStills: () => {
      for (const video of videos) if (video.dataset.poster && !video.poster) video.setAttribute("poster", video.dataset.poster);
    },
    rest: () => inStep.isPlaying() && inStep.pause(),
    leave: inStep.unload,
    forget: () => (asked = null),
    isAsked: () => asked === true,
  };
}
