"use strict";
// Decisions on edits: kept by the browser until they are saved as a file, which ./batch decide takes.
{
  const { key, edits } = JSON.parse(document.getElementById("data").textContent);
  const storage = "prepare " + key;
  const articles = [...document.querySelectorAll("article.review")];
  const nameOf = ([clip, edit]) => JSON.stringify([clip, edit]);
  const noted = () => {
    try { return JSON.parse(localStorage.getItem(storage)) ?? {}; } catch { return {}; }
  };
  let changed = noted(); // by name: what was decided here and is not what the page was written with
  let saved = true;

  const decisionOf = (number) => changed[nameOf(edits[number])] ?? edits[number][2];

  const keep = () => {
    try {
      localStorage.setItem(storage, JSON.stringify(changed));
    } catch {
      document.getElementById("forgets").hidden = false;
    }
  };

  const show = () => {
    const counts = { approved: 0, held: 0, rejected: 0, undecided: 0 };
    const filter = document.getElementById("filter").value;
    for (const [number, article] of articles.entries()) {
      const decision = decisionOf(number) || "undecided";
      counts[decision] += 1;
      for (const button of article.querySelectorAll("[data-decision]")) {
        button.setAttribute("aria-pressed", String(button.dataset.decision === decision));
      }
      article.hidden = filter === "doubtful" ? !article.dataset.doubtful : filter !== "" && filter !== decision;
    }
    document.getElementById("counts").textContent = Object.entries(counts).map(([name, count]) => `${count} ${name}`).join(" · ");
    document.getElementById("unsaved").hidden = saved;
  };

  const decide = (number, decision) => {
    // The same button again takes a decision back.
    changed[nameOf(edits[number])] = decisionOf(number) === decision ? "" : decision;
    saved = false;
    keep();
    show();
  };

  const play = (article) => {
    const videos = [...article.querySelectorAll("video")];
    const plays = videos.some((video) => !video.paused);
    for (const video of videos) {
      if (plays) {
        video.pause();
      } else {
        video.currentTime = 0; // source and mask together
        video.play();
      }
    }
  };

  for (const [number, article] of articles.entries()) {
    article.addEventListener("click", (event) => {
      const button = event.target.closest("[data-decision]");
      if (button) decide(number, button.dataset.decision);
      else if (event.target.matches("video")) play(article);
    });
  }

  const KEYS = { a: "approved", h: "held", r: "rejected" };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("select, input, textarea")) return;
    const shown = articles.filter((article) => !article.hidden);
    const now = shown.indexOf(document.activeElement.closest("article.review"));
    if (event.key in KEYS && now >= 0) {
      decide(Number(shown[now].dataset.number), KEYS[event.key]);
    } else if (event.key === "p" && now >= 0) {
      play(shown[now]);
    } else if (event.key === "j" || event.key === "k") {
      const next = shown[Math.min(shown.length - 1, Math.max(0, now + (event.key === "j" ? 1 : -1)))];
      next?.focus();
      next?.scrollIntoView({ block: "start" });
    } else {
      return;
    }
    event.preventDefault();
  });

  document.getElementById("filter").addEventListener("change", show);
  document.getElementById("approve-shown").addEventListener("click", () => {
    for (const article of articles.filter((one) => !one.hidden)) {
      const number = Number(article.dataset.number);
      if (!decisionOf(number)) decide(number, "approved");
    }
  });
  document.getElementById("save").addEventListener("click", () => {
    const decisions = edits
      .map(([clip, edit], number) => ({ clip, edit, decision: decisionOf(number) || "undecided" }));
    const file = new Blob([JSON.stringify({ decisions }, null, 1)], { type: "application/json" });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(file);
    link.download = "decisions.json";
    link.click();
    URL.revokeObjectURL(link.href);
    saved = true;
    show();
  });

  // A video's first picture is loaded when it comes near: there may be thousands.
  const near = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      target.preload = "auto";
      near.unobserve(target);
    }
  }, { rootMargin: "600px" });
  for (const video of document.querySelectorAll(".looks video")) near.observe(video);
  show();
}
