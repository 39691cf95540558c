"use strict";

/* The batch's table: every row is data, and one page of those that the filter leaves is drawn. */

const NOTHING = "–";

function makeTable(rows, onChange) {
  const table = document.getElementById("batch-table");
  const body = table.querySelector("tbody.rows");
  const columns = [...table.tHead.rows[0].cells].filter((heading) => heading.dataset.key);
  const filter = document.getElementById("filter");
  const pager = makePager(document.querySelector(".table-head .pager"), rows.length, drawFromTop);
  let sorted = rows;
  let shown = rows;

  function draw() {
    const drawn = pager.slice(shown).map((row) => drawRow(row, columns));
    body.replaceChildren(...(drawn.length ? drawn : [drawEmptyRow(columns.length + 1)]));
  }

  function drawFromTop() {
    draw();
    body.closest(".scroller").scrollTop = 0;
  }

  function select() {
    const words = filter.value.toLocaleLowerCase().split(/\s+/).filter(Boolean);
    shown = sorted.filter((row) => {
      row.text ??= writeRow(row, columns);
      return words.every((word) => row.text.includes(word));
    });
    document.getElementById("filter-count").textContent = words.length
      ? `${writeCount(shown.length)} of ${writeCount(rows.length)}`
      : "";
    pager.toStart();
    drawFromTop();
    onChange(shown, filter.value);
  }

  function sortBy(heading) {
    const rising = heading.getAttribute("aria-sort") !== "ascending";
    for (const column of columns) column.setAttribute("aria-sort", "none");
    heading.setAttribute("aria-sort", rising ? "ascending" : "descending");
    sorted = sortRows(rows, heading.dataset.key, rising);
    select();
  }

  function find(text) {
    filter.value = text;
    select();
  }

  /* Turns to the page with an edit, and puts the focus on its name. */
  function goTo(id) {
    const index = shown.findIndex((row) => row.id === id);
    if (index < 0) return;
    pager.toEntry(index);
    draw();
    [...body.querySelectorAll("th a")].find((link) => link.hash === `#${id}`).focus();
  }

  for (const heading of columns) heading.querySelector("button").addEventListener("click", () => sortBy(heading));
  filter.addEventListener("input", select);
  select(); // a reloaded page keeps what was typed
  return { goTo, find, listEdits: () => [...new Set(shown.map((row) => row.id))] };
}

/* The same row as table_row of report.html.jinja. */
function drawRow(row, columns) {
  const line = document.createElement("tr");
  const link = drawLink(row.id, "", line.insertCell());
  link.tabIndex = -1;
  link.setAttribute("aria-hidden", "true");
  if (row.thumbnail) {
    const picture = htmlElement("img", "", "", link);
    Object.assign(picture, { loading: "lazy", alt: "", width: 96 }); // before its address, which would load it at once
    picture.setAttribute("src", row.thumbnail);
  } else htmlElement("span", "no-picture", "", link);
  for (const column of columns) line.append(drawCell(row, column));
  return line;
}

function drawCell(row, { dataset: { key }, className }) {
  const text = textOf(row, key);
  if (className === "number") return htmlElement("td", "number", text);
  const cell = document.createElement(key === "edit" ? "th" : "td");
  if (key === "status") {
    htmlElement("span", `status ${text.replace(" ", "-")}`, text, cell);
    return cell;
  }
  cell.dir = "auto";
  if (key === "edit") {
    cell.scope = "row";
    drawLink(row.id, text, cell);
  } else cell.append(text);
  if (key === "mask" && row.warnings) {
    cell.append(" ");
    htmlElement("span", "warning", "check", cell).title = row.warnings;
  }
  return cell;
}

function drawLink(id, text, parent) {
  const link = htmlElement("a", "", text, parent);
  link.setAttribute("href", `#${id}`);
  return link;
}

function drawEmptyRow(numColumns) {
  const line = document.createElement("tr");
  const cell = htmlElement("td", "quiet", "No edited video matches.", line);
  cell.colSpan = numColumns;
  return line;
}

function textOf(row, key) {
  const value = row[key] ?? NOTHING;
  return Array.isArray(value) ? value[1] : value;
}

function writeRow(row, columns) {
  const texts = columns.map((column) => textOf(row, column.dataset.key));
  return [...texts, row.warnings && "check"].join(" ").toLocaleLowerCase();
}

function sortRows(rows, key, rising) {
  const collator = new Intl.Collator(undefined, { numeric: true });
  const keyed = rows.map((row) => [sortKey(row, key), row]);
  keyed.sort(([first], [second]) => {
    if (first === null || second === null) return (first === null) - (second === null); // the unknown last
    const order = typeof first === "number" && typeof second === "number" ? first - second : collator.compare(first, second);
    return rising ? order : -order;
  });
  return keyed.map(([, row]) => row);
}

function sortKey(row, key) {
  const value = row[key] ?? NOTHING;
  if (Array.isArray(value)) return value[0];
  return value === NOTHING ? null : value;
}
