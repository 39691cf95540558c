"use strict";

/* What each person sees in which order: of the study's chance and the person's code alone, so that a reload, or
   another browser, shows the same. */

// A person's code, however it was typed: the same letters, in one encoding.
const codeOf = (typed) => typed.normalize("NFC").trim().replace(/\s+/g, " ");

function makeChance(text) {
  let state = 0x811c9dc5; // FNV-1a over UTF-16 units
  for (let index = 0; index < text.length; index += 1) state = Math.imul(state ^ text.charCodeAt(index), 0x01000193);
  return () => {
    state = (state + 0x6d2b79f5) | 0; // mulberry32
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

function shuffled(entries, chance) {
  const order = [...entries];
  for (let last = order.length - 1; last > 0; last -= 1) {
    const other = Math.floor(chance() * (last + 1));
    [order[last], order[other]] = [order[other], order[last]];
  }
  return order;
}

// The steps of a person: an item and a question each, all questions of an item in a row.
function makeSteps(asked, person) {
  const own = (of) => makeChance(`${asked.chance}/${person.toLowerCase()}/${of}`);
  return shuffled(asked.items, own("items")).flatMap((item) => {
    const videos = shuffled(item.videos, own(item.id));
    return asked.questions.map((question, index) => ({ item, videos, question, index, key: `${item.id}/${index}` }));
  });
}
