"use strict";

/* The videos of the edit on show, which play in step, and their controls. Only one player plays at a time. */

let playingPlayer = null;

function makePlayer(root, times, onFrame) {
  const videos = [...root.querySelectorAll("video")];
  const find = (name) => root.querySelector(name);
  const [playButton, scrub, position] = [find(".play"), find(".scrub"), find(".position")];
  const lastFrame = Math.max(0, times.length - 1);
  const inStep = playInStep(videos, times, { onFrame: show, onPlaying: noteState });
  const player = { ...inStep, root, step: (count) => inStep.seek(inStep.frame() + count) };

  function show(index) {
    scrub.value = index;
    scrub.setAttribute("aria-valuetext", `frame ${index} of 0 to ${lastFrame}`);
    position.textContent = `${index} / ${lastFrame} · ${(times[index] ?? 0).toFixed(2)} s`;
    onFrame(index);
  }

  function noteState(playing) {
    if (playing && playingPlayer !== player) playingPlayer?.pause();
    if (playing) playingPlayer = player;
    else if (playingPlayer === player) playingPlayer = null;
    root.classList.toggle("playing", playing);
    playButton.setAttribute("aria-label", playing ? "Pause" : "Play");
  }

  playButton.addEventListener("click", player.toggle);
  find(".step-back").addEventListener("click", () => player.step(-1));
  find(".step-forward").addEventListener("click", () => player.step(1));
  scrub.addEventListener("input", () => player.seek(Number(scrub.value)));
  find(".speed select").addEventListener("change", (event) => player.setRate(Number(event.target.value)));
  find(".larger").addEventListener("click", ({ currentTarget }) => {
    currentTarget.setAttribute("aria-pressed", root.classList.toggle("large"));
  });
  find(".sound")?.addEventListener("click", ({ currentTarget }) => {
    const edited = videos.find((video) => video.dataset.kind === "edited") ?? videos[0];
    edited.muted = !edited.muted;
    currentTarget.setAttribute("aria-pressed", !edited.muted);
  });
  for (const video of videos) video.addEventListener("click", player.toggle);
  show(0);
  return player;
}
