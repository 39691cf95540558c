"use strict";

/* Cuts a list into pages, of which one is on show; `total` is the most entries that the list can have. */

function makePager(nav, total, onTurn) {
  const [back, forward] = [nav.querySelector(".previous"), nav.querySelector(".next")];
  const size = nav.querySelector("select");
  let page = 0;
  nav.hidden = total <= Number(size.value);

  const entriesPerPage = () => Math.min(Number(size.value), Math.max(1, total));

  /* Returns the entries on show, and says in the bar where they stand. */
  function slice(entries) {
    const numPages = Math.max(1, Math.ceil(entries.length / entriesPerPage()));
    page = Math.max(0, Math.min(numPages - 1, page));
    nav.querySelector(".place").textContent = `page ${writeCount(page + 1)} of ${writeCount(numPages)}`;
    [back.disabled, forward.disabled] = [page === 0, page === numPages - 1];
    return entries.slice(page * entriesPerPage(), (page + 1) * entriesPerPage());
  }

  function turnTo(number) {
    page = number;
    onTurn();
  }

  size.addEventListener("change", () => turnTo(0));
  back.addEventListener("click", () => turnTo(page - 1));
  forward.addEventListener("click", () => turnTo(page + 1));
  return { slice, toStart: () => (page = 0), toEntry: (index) => (page = Math.floor(index / entriesPerPage())) };
}

function writeCount(number) {
  return number.toLocaleString("en");
}
