"use strict";

/* Leads a person through the questions. What is answered is kept in the browser at each step, under the study and the
   person's code: a reload goes on where it was. */

const asked = JSON.parse(document.getElementById("asked").textContent);
const isPairs = asked.mode === "pairs";
const get = (id) => document.getElementById(id);
let session = null; // of the person who answers: { person, steps, answers by a step's key, started, at }
let chosen = []; // videos, best first; of a pair the better one, or null: no difference
let players = null; // the item on show and its player
let since = 0; // when the question came up, in milliseconds

const keyOf = (person) => `study/${asked.study}/${person.toLowerCase()}`;
const LAST = `study/${asked.study}`;

function keep(key, value) {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, JSON.stringify(value));
  } catch {
    get("unsaved").hidden = false;
  }
}

function kept(key) {
  try {
    return JSON.parse(localStorage.getItem(key));
  } catch {
    get("unsaved").hidden = false;
    return null;
  }
}

function showScreen(id) {
  for (const screen of document.querySelectorAll(".screen")) screen.hidden = screen.id !== id;
  if (id !== "ask") stopItem();
}

function stopItem() {
  players?.player.unload();
  players = null;
}

function welcome(person) {
  keep(LAST, null);
  session = null;
  showScreen("welcome");
  const [items, questions] = [asked.items.length, asked.questions.length];
  const many = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;
  get("amount").textContent = `${many(items, isPairs ? "pair" : "set")}, ${many(questions, "question")} each.`;
  get("person").value = person;
  get("person").focus();
}

function begin(person) {
  const before = kept(keyOf(person)) ?? {};
  const answers = before.answers ?? {};
  session = { person: before.person ?? person, answers, started: before.started ?? new Date().toISOString(), at: 0 };
  session.steps = makeSteps(asked, session.person);
  keep(LAST, session.person);
  const open = session.steps.findIndex((step) => !(step.key in answers));
  if (open < 0) finish();
  else ask(open);
}

function ask(at) {
  session.at = at;
  const step = session.steps[at];
  const before = session.answers[step.key];
  chosen = before ? before.chosen : [];
  showScreen("ask");
  if (players?.item !== step.item) showItem(step);
  get("label").textContent = step.question.label === step.question.text ? "" : step.question.label;
  get("question").textContent = step.question.text;
  const item = Math.floor(at / asked.questions.length) + 1;
  const part = asked.questions.length > 1 ? ` · question ${step.index + 1} of ${asked.questions.length}` : "";
  get("where").textContent = `${isPairs ? "Pair" : "Set"} ${item} of ${asked.items.length}${part}`;
  get("who").textContent = session.person;
  get("progress").max = session.steps.length;
  get("progress").value = Object.keys(session.answers).length;
  get("back").disabled = at === 0;
  since = performance.now();
  refresh();
  get("question").focus({ preventScroll: true });
  scrollTo(0, 0);
}

function showItem(step) {
  stopItem();
  drawItem(step, choose);
  // The controls stay from item to item: fresh ones, so that no earlier player hears them.
  const controls = get("player").querySelector(".controls");
  controls.replaceWith(controls.cloneNode(true));
  const larger = get("player").classList.contains("large");
  get("player").querySelector(".larger").setAttribute("aria-pressed", larger);
  const player = makePlayer(get("player"), step.item.times, () => {});
  players = { item: step.item, player };
  player.load();
  if (!matchMedia("(prefers-reduced-motion: reduce)").matches) player.toggle();
}

function isComplete() {
  return chosen === null || chosen.length === (isPairs ? 1 : session.steps[session.at].videos.length);
}

function refresh() {
  const step = session.steps[session.at];
  drawChoice(step, chosen, isPairs);
  get("next").disabled = !isComplete();
  get("clear").disabled = chosen !== null && chosen.length === 0;
  const count = step.videos.length;
  const wanted = isPairs ? "Choose the better one." : `Choose the ${chosen.length === 0 ? "best" : "next best"} one.`;
  const place = isPairs || chosen.length === 0 ? "" : ` ${chosen.length} of ${count} placed.`;
  get("told").textContent = isComplete() ? "" : wanted + place;
}

function choose(video) {
  if (isPairs) chosen = [video];
  else if (chosen.includes(video)) chosen = chosen.filter((other) => other !== video);
  else chosen = [...chosen, video];
  refresh();
}

function next() {
  if (!isComplete()) return;
  const step = session.steps[session.at];
  const seconds = (session.answers[step.key]?.seconds ?? 0) + (performance.now() - since) / 1000;
  session.answers[step.key] = { chosen, seconds };
  keep(keyOf(session.person), { person: session.person, started: session.started, answers: session.answers });
  if (session.at + 1 < session.steps.length) ask(session.at + 1);
  else finish();
}

function finish() {
  const open = session.steps.findIndex((step) => !(step.key in session.answers));
  if (open >= 0) return ask(open);
  showScreen("finish");
  get("text").value = writeAnswers();
  get("sent").textContent = "";
  get("finish").querySelector("h1").focus();
}

// The ranks of an answer: 1 for the best; two that do not differ share 1.5.
function ranksOf(step, { chosen: order }) {
  if (order === null) return Object.fromEntries(step.videos.map((video) => [video, 1.5]));
  const others = step.videos.filter((video) => !order.includes(video));
  return Object.fromEntries([...order, ...others].map((video, index) => [video, index + 1]));
}

function writeAnswers() {
  const answers = session.steps.map((step) => ({
    item: step.item.id,
    question: step.index,
    shown: step.videos,
    ranks: ranksOf(step, session.answers[step.key]),
    seconds: Math.round(session.answers[step.key].seconds * 10) / 10,
  }));
  const { person, started } = session;
  return JSON.stringify({ study: asked.study, person, started, finished: new Date().toISOString(), answers }, null, 1);
}

function download() {
  const safe = session.person.replace(/[^A-Za-z0-9_-]+/g, "-").slice(0, 40);
  const link = draw("a", { download: `answers-${asked.study}-${safe}.json` });
  link.href = URL.createObjectURL(new Blob([get("text").value], { type: "application/json" }));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  get("sent").textContent = `Saved as ${link.download}, where your browser keeps downloads.`;
}

async function copy() {
  get("text").closest("details").open = true;
  get("text").select();
  try {
    await navigator.clipboard.writeText(get("text").value);
  } catch {
    document.execCommand("copy"); // a page from disk may not have the clipboard
  }
  get("sent").textContent = "Copied.";
}

function moveFocus(by) {
  const buttons = [...document.querySelectorAll("#candidates .choice")];
  const at = buttons.indexOf(document.activeElement);
  buttons[at < 0 ? (by > 0 ? 0 : buttons.length - 1) : (at + by + buttons.length) % buttons.length].focus();
}

function placeFocused(wanted) {
  const { video } = document.activeElement.dataset;
  if (video && chosen.includes(video) !== wanted) choose(video);
}

function noDifference() {
  chosen = null;
  refresh();
}

const back = () => session.at > 0 && ask(session.at - 1);
const KEYS = {
  Enter: next,
  Backspace: back,
  " ": () => players.player.toggle(),
  ",": () => players.player.step(-1),
  ".": () => players.player.step(1),
  ...(isPairs
    ? { ArrowDown: noDifference, 0: noDifference }
    : { ArrowUp: () => placeFocused(true), ArrowDown: () => placeFocused(false) }),
};

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (!get("finish").hidden && event.key === "Enter" && !event.target.matches("button, summary, textarea")) download();
  if (get("ask").hidden || event.target.matches("select, input")) return;
  const { videos } = session.steps[session.at];
  const sideways = { ArrowLeft: 0, ArrowRight: 1 }[event.key];
  if (event.target.matches("button:not(.choice):not(#next)") && ["Enter", " "].includes(event.key)) return;
  if (isPairs && sideways !== undefined) choose(videos[sideways]);
  else if (sideways !== undefined) moveFocus(sideways ? 1 : -1);
  else if (/^[1-9]$/.test(event.key)) videos[event.key - 1] && choose(videos[event.key - 1]);
  else if (KEYS[event.key]) KEYS[event.key]();
  else return;
  event.preventDefault();
}

document.addEventListener("keydown", onKey);
get("welcome").addEventListener("submit", (event) => {
  event.preventDefault();
  const person = codeOf(get("person").value);
  if (person) begin(person);
});
get("next").addEventListener("click", next);
get("back").addEventListener("click", back);
get("clear").addEventListener("click", () => ((chosen = []), refresh()));
get("none")?.addEventListener("click", noDifference);
get("leave").addEventListener("click", () => welcome(""));
get("other").addEventListener("click", () => welcome(""));
get("change").addEventListener("click", () => ask(0));
get("download").addEventListener("click", download);
get("copy").addEventListener("click", copy);

// Who was at it goes on, unless the address names another person.
const [last, named] = [kept(LAST), codeOf(new URLSearchParams(location.search).get("person") ?? "")];
if (typeof last === "string" && (!named || keyOf(named) === keyOf(last))) begin(last);
else welcome(named);
