"use strict";

/* The page: gallery and table show the same edits, what the address names is shown, keys reach the player, long
   lists unfold. */

function start() {
  const [rows, sources] = ["rows", "sources"].map((name) => JSON.parse(document.getElementById(name).textContent));
  const view = makeEditView(new Set(rows.map((row) => row.id)));
  const gallery = makeGallery(rows, sources, (text) => table.find(text));
  const table = makeTable(rows, (shown, text) => {
    gallery.show(shown, text);
    if (view.openId()) view.showPlace(table.listEdits());
  });

  function follow() {
    const id = location.hash.slice(1);
    if (id.includes("/")) {
      gallery.rest(); // the edit has the machine to itself
      view.open(id, table.listEdits()).then(gallery.arrange);
    } else if (!document.getElementById(id)) view.close();
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#']");
    const list = { "#batch": table, "#gallery": gallery }[link?.hash];
    if (link?.matches(".up")) requestAnimationFrame(() => list.goTo(view.openId())); // after the jump to the heading
    else if (link?.hash === location.hash) follow(); // which the browser takes for no change
  });
  document.addEventListener("keydown", (event) => onKey(event, view));
  addEventListener("hashchange", follow);
  for (const button of document.querySelectorAll(".show-all")) button.addEventListener("click", () => showAll(button));
  follow();
}

/* Adds what the page leaves out of a list. */
async function showAll(button) {
  const list = button.parentElement.querySelector("ul");
  const numShown = list.childElementCount;
  try {
    list.insertAdjacentHTML("beforeend", (await loadPart(button.dataset.part)).html); // escaped when it was written
    button.remove();
    list.children[numShown].tabIndex = -1;
    list.children[numShown].focus({ preventScroll: true });
  } catch (error) {
    button.textContent = `${error.message}.`;
  }
}

/* Space plays and pauses, the arrows step, where the videos of the edit on show are near. */
function onKey(event, view) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  const taken = { " ": "input[type=search], select, button, summary, a", ArrowLeft: "input, select", ArrowRight: "input, select" };
  if (!(event.key in taken) || event.target.closest(taken[event.key]) || event.target.closest(".scroller, pre")) return;
  const player = view.playerInView();
  if (!player) return;
  event.preventDefault();
  if (event.key === " ") player.toggle();
  else player.step(event.key === "ArrowLeft" ? -1 : 1);
}

start();
