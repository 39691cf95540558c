"use strict";

/* Draws an item: its source and edited first frame, and the videos to judge, each with the button that chooses it. */

const PLACES = ["best", "2nd", "3rd"];

function draw(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function drawVideo(name) {
  const video = draw("video", { muted: true, playsInline: true, preload: "auto", disablePictureInPicture: true });
  video.dataset.src = `media/${name}.mp4`;
  return video;
}

// Returns the player of the item; `choose` is called with the name of a video whose button is pressed.
function drawItem({ item, videos }, choose) {
  const player = document.getElementById("player");
  const [references, candidates] = ["references", "candidates"].map((id) => document.getElementById(id));
  player.style.setProperty("--aspect", item.aspect);
  player.querySelector(".scrub").max = Math.max(0, item.times.length - 1);
  references.replaceChildren(draw("figure", {}, drawVideo(item.source), draw("figcaption", { textContent: "Source" })));
  if (item.picture) {
    const picture = draw("img", { src: `media/${item.picture}.png`, alt: "The first frame, edited" });
    references.append(draw("figure", {}, picture, draw("figcaption", { textContent: "Edited first frame" })));
  }
  candidates.dataset.count = videos.length;
  player.classList.toggle("upright", item.aspect < 0.9);
  candidates.replaceChildren(
    ...videos.map((name, index) => {
      const button = draw("button", { type: "button", className: "choice" });
      button.append(draw("kbd", { textContent: index + 1 }), " ", draw("span"));
      button.dataset.video = name;
      button.addEventListener("click", () => choose(name));
      return draw("figure", {}, drawVideo(name), button);
    }),
  );
}

// Shows a choice: the videos in the order that was given so far; null: no difference.
function drawChoice({ videos }, chosen, isPairs) {
  for (const button of document.querySelectorAll("#candidates .choice")) {
    const place = (chosen ?? []).indexOf(button.dataset.video);
    const words = isPairs ? (place === 0 ? "better" : "choose") : place < 0 ? "choose" : placeOf(place, videos.length);
    button.querySelector("span").textContent = words;
    button.setAttribute("aria-pressed", isPairs ? place === 0 : place >= 0);
    button.setAttribute("aria-label", `Video ${videos.indexOf(button.dataset.video) + 1}: ${words}`);
  }
  document.getElementById("none")?.setAttribute("aria-pressed", chosen === null);
}

function placeOf(place, count) {
  return place === count - 1 ? "worst" : PLACES[place] ?? `${place + 1}th`;
}
