"use strict";

/* Plays videos in step: the first one leads, the others follow it to the frame.

   Two videos started together drift apart by some frames, and each decoder loops on its own. So all of
   them start from the same frame, once every one can show it; while they play, a follower that is off by
   more than a part of a frame is sped up or slowed down; and at the end all go back together.

   `times` are those of the frames in seconds; each video has its address as data. `onFrame` hears of each
   frame that comes on show, `onPlaying` whether they play. */

function playInStep(videos, times, { onFrame = () => {}, onPlaying = () => {} }) {
  const numFrames = Math.max(1, times.length);
  const frameLength = numFrames > 1 ? times[numFrames - 1] / (numFrames - 1) : 0.04;
  let frame = 0;
  let rate = 1;
  let isPlaying = false;
  let attempt = 0; // each start and stop takes a new number: whoever waited under an older one gives up

  const usable = () => videos.filter((video) => video.hasAttribute("src") && !video.error);

  // The middle of a frame: its edges may round to the neighbouring frame.
  function timeOf(index) {
    const start = times[index] ?? 0;
    return start + ((times[index + 1] ?? start + frameLength) - start) / 2;
  }

  function frameAt(seconds) {
    let index = 0;
    while (index + 1 < numFrames && times[index + 1] <= seconds + 1e-3) index += 1;
    return index;
  }

  function show(index) {
    frame = index;
    onFrame(index);
  }

  function waitFor(video, isReady, events) {
    return new Promise((resolve) => {
      const check = () => {
        if (!isReady() && !video.error && video.hasAttribute("src")) return;
        for (const name of events) video.removeEventListener(name, check);
        resolve();
      };
      for (const name of events) video.addEventListener(name, check);
      check();
    });
  }

  function align(index) {
    show(index);
    const waits = usable().map((video) => {
      video.currentTime = timeOf(index);
      const isReady = () => video.readyState >= HTMLMediaElement.HAVE_FUTURE_DATA && !video.seeking;
      const isLast = () => index === numFrames - 1 && video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA;
      return waitFor(video, () => isReady() || (isLast() && !video.seeking), ["seeked", "canplay", "error", "emptied"]);
    });
    return Promise.all(waits);
  }

  async function play(from = frame === numFrames - 1 ? 0 : frame) {
    const mine = (attempt += 1);
    setPlaying(true);
    await align(from);
    if (mine !== attempt) return;
    try {
      await Promise.all(usable().map((video) => ((video.playbackRate = rate), video.play())));
    } catch (error) {
      if (mine === attempt) pause();
      if (error.name !== "AbortError") throw error; // an abort is a pause that came in between
    }
    follow(mine);
  }

  function follow(mine) {
    if (mine !== attempt) return;
    const [leader, ...followers] = usable();
    if (!leader) return pause();
    if (leader.ended) return play(0);
    show(frameAt(leader.currentTime));
    for (const video of followers) if (!video.ended) correct(video, leader.currentTime);
    requestAnimationFrame(() => follow(mine));
  }

  function correct(video, seconds) {
    const ahead = (video.currentTime - seconds) / frameLength; // frames
    if (Math.abs(ahead) > 4) video.currentTime = seconds;
    const change = Math.abs(ahead) < 0.2 ? 0 : Math.max(-0.3, Math.min(0.3, -ahead / 4));
    const wanted = rate * (1 + change);
    if (Math.abs(video.playbackRate - wanted) > 0.01) video.playbackRate = wanted;
  }

  function pause() {
    attempt += 1;
    setPlaying(false);
    for (const video of videos) video.pause();
  }

  function setPlaying(now) {
    isPlaying = now;
    onPlaying(now);
  }

  function seek(index) {
    pause();
    return align(((index % numFrames) + numFrames) % numFrames);
  }

  function setRate(wanted) {
    rate = wanted;
    for (const video of videos) video.playbackRate = rate;
  }

  function load() {
    const unloaded = videos.filter((video) => !video.hasAttribute("src"));
    for (const video of unloaded) {
      video.preload = "auto";
      video.src = video.dataset.src;
    }
    if (unloaded.length && frame > 0) align(frame);
  }

  function unload() {
    pause();
    for (const video of videos) {
      if (!video.hasAttribute("src")) continue;
      video.removeAttribute("src");
      video.load(); // gives the decoder and its memory back
    }
  }

  const toggle = () => (isPlaying ? seek(frame) : play());

  for (const video of videos) {
    video.addEventListener("error", () => video.closest("figure").classList.toggle("unplayable", Boolean(video.error)));
  }
  return { play, pause, toggle, seek, setRate, load, unload, frame: () => frame, isPlaying: () => isPlaying };
}
