// What a page does by itself: follow the collector, keep "3 min ago" true, open windows, answer keys.
// Everything is rendered by the server; without this file the pages still work, they only stand still.
"use strict";

(() => {
  const body = document.body;
  const drift = Number(body.dataset.now) - Date.now(); // the collector's clock is the one that counts
  const phrases = JSON.parse(body.dataset.times);
  const page = () => document.getElementById("page");
  const windowed = document.getElementById("window");

  // --- times ------------------------------------------------------------------------------------------

  const UNITS = [["second", 1e3, 6e4], ["minute", 6e4, 36e5], ["hour", 36e5, 2 * 864e5], ["day", 864e5, Infinity]];

  function ago(at, now) {
    const distance = Math.abs(now - at);
    if (distance < 1e4) return phrases.now;
    const [unit, size] = UNITS.find(([, , limit]) => distance < limit);
    const amount = phrases[unit].replace("{n}", Math.floor(distance / size).toLocaleString("en"));
    return (at <= now ? phrases.ago : phrases.ahead).replace("{amount}", amount);
  }

  function refreshTimes() {
    const now = Date.now() + drift;
    for (const time of document.querySelectorAll("time[data-at]")) {
      const text = ago(Number(time.dataset.at), now);
      if (time.textContent !== text) time.textContent = text;
    }
  }
  setInterval(refreshTimes, 5000);

  // --- following the collector --------------------------------------------------------------------------

  let busy = 0;
  let due = null;
  let last = Date.now();

  function follow(topic) {
    const follows = page()?.dataset.follows?.split(" ") ?? [];
    if (!follows.includes(topic) || due !== null) return;
    const pace = Number(page().dataset.pace ?? 700);
    due = setTimeout(refresh, Math.max(60, last + pace - Date.now()));
  }

  function refresh() {
    if (busy > 0) {
      due = setTimeout(refresh, 150); // after whatever the reader asked for
      return;
    }
    due = null;
    last = Date.now();
    if (page()) htmx.trigger(page(), "refresh");
  }

  setInterval(() => follow("alerts"), 60_000);
  const aimsAtPage = (event) => event.detail.ctx?.target === page() && page() !== null;

  // What is wrong with the collector stands above the page, and is fetched on its own: the page may fail.
  const notices = () => document.getElementById("notices");
  const lookForNotices = () => { if (notices()) htmx.trigger(notices(), "refresh"); };
  setInterval(() => { if (notices()?.childElementCount && !document.hidden) lookForNotices(); }, 10_000);
  document.addEventListener("htmx:before:request", (event) => { if (aimsAtPage(event)) busy += 1; });
  document.addEventListener("htmx:finally:request", (event) => { if (aimsAtPage(event)) busy = Math.max(0, busy - 1); });

  // A refusal has nothing to show in the page's place: what is there stays, and is tried again.
  document.addEventListener("htmx:before:swap", (event) => {
    const kept = aimsAtPage(event) || event.detail.ctx?.target === notices();
    if (kept && event.detail.ctx.response?.status >= 400) event.preventDefault();
  });

  const TOPICS = ["alerts", "robots"];
  const live = document.getElementById("live");
  let events = null;
  let missed = false; // something may have happened while nobody listened

  function listen() {
    if (!live || events || document.hidden) return; // nobody is signed in
    events = new EventSource("/events");
    events.onopen = () => {
      live.dataset.state = "on";
      if (missed) {
        TOPICS.forEach(follow);
        lookForNotices();
      }
      missed = false;
    };
    events.onerror = () => {
      live.dataset.state = "off";
      missed = true;
      if (events?.readyState === EventSource.CLOSED) { // the browser has given up
        hangUp();
        lookForNotices(); // which leads to the sign-in, if that is why
        setTimeout(listen, 3000);
      }
    };
    for (const topic of TOPICS) events.addEventListener(topic, () => follow(topic));
    events.addEventListener("health", lookForNotices);
  }

  function hangUp() {
    events?.close();
    events = null;
    missed = true;
  }

  // A browser allows few connections to one place: a tab in the background gives its own back.
  document.addEventListener("visibilitychange", () => (document.hidden ? hangUp() : listen()));
  addEventListener("pagehide", hangUp);
  addEventListener("pageshow", listen);
  listen();

  // --- new rows -----------------------------------------------------------------------------------------

  const shown = () => new Set([...document.querySelectorAll("[data-alert]")].map((row) => row.id));
  let known = shown();
  let place = location.search;

  function welcome() {
    const now = shown();
    const sameView = place === location.search;
    for (const id of sameView ? now : []) {
      if (known.has(id)) continue;
      const row = document.getElementById(id);
      const tint = getComputedStyle(row).getPropertyValue("--tone-soft");
      row.animate([{ background: tint }, { background: tint, offset: 0.5 }, {}], { duration: 4000, easing: "ease-out" });
    }
    known = now;
    place = location.search;
  }

  document.addEventListener("htmx:after:swap", (event) => {
    const target = event.detail.ctx?.target;
    refreshTimes();
    if (target === windowed) openWindow(event.detail.ctx);
    else { welcome(); window.drawPlots?.(); }
  });
  requestAnimationFrame(() => requestAnimationFrame(() => document.documentElement.classList.add("ready")));

  // --- windows and toasts ---------------------------------------------------------------------------------

  function openWindow(ctx) {
    if (!windowed.querySelector("form")) { toast(body.dataset.network, true); return; }
    if (!windowed.open) windowed.showModal();
    windowed.querySelector("[autofocus]")?.focus();
  }

  windowed?.addEventListener("click", (event) => {
    if (event.target === windowed || event.target.closest("[data-dismiss]")) {
      event.preventDefault();
      windowed.close();
    }
  });
  windowed?.addEventListener("close", () => windowed.replaceChildren());

  function toast(text, bad = false) {
    const note = document.createElement("p");
    note.className = bad ? "toast bad" : "toast";
    note.textContent = text;
    document.getElementById("toasts").append(note);
    setTimeout(() => note.remove(), bad ? 7000 : 4000);
  }

  document.addEventListener("done", (event) => {
    if (windowed.open) windowed.close();
    toast(event.detail.text);
    follow("alerts");
  });
  document.addEventListener("htmx:error", (event) => {
    const ctx = event.detail.ctx;
    if (ctx && ctx.sourceElement !== page() && ctx.sourceElement !== notices()) toast(body.dataset.network, true);
  });

  document.addEventListener("click", (event) => {
    const you = document.querySelector("details.you[open]");
    if (you && !you.contains(event.target)) you.open = false;
  });

  // --- keys -----------------------------------------------------------------------------------------------

  const rows = () => [...document.querySelectorAll("li[data-alert]")];
  const current = () => document.activeElement?.closest("[data-alert]") ?? null;

  function move(step) {
    const all = rows();
    const at = all.indexOf(current());
    const next = all[at === -1 ? 0 : Math.min(Math.max(at + step, 0), all.length - 1)];
    next?.querySelector("a")?.focus();
    next?.scrollIntoView({ block: "nearest" });
  }

  function press(action) {
    const row = current() ?? (page()?.dataset.alert ? page() : rows()[0]);
    row?.querySelector(`[data-action="${action}"]`)?.click();
  }

  const KEYS = {
    j: () => move(1),
    k: () => move(-1),
    a: () => press("acknowledge"),
    s: () => press("snooze"),
    c: () => press("close"),
    "/": () => document.getElementById("q")?.focus(),
  };

  document.addEventListener("keydown", (event) => {
    if (event.key === " " && event.target.matches("a[role=button]")) {
      event.preventDefault();
      event.target.click();
    }
    if (event.ctrlKey || event.metaKey || event.altKey || windowed.open) return;
    if (event.target.closest("input, textarea, select")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const act = KEYS[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
})();
