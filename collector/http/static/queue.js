// The queue's comfort: a selection that lasts, keys, groups that unfold. Without this file everything still
// works as forms and links.
"use strict";

(() => {
  const page = () => document.getElementById("page");
  const windowed = document.getElementById("window");
  const bulk = () => document.getElementById("bulk");
  const rows = () => [...document.querySelectorAll("[data-alert]")].filter((row) => row !== page());
  const ticks = () => [...document.querySelectorAll('input[name="alert"][form="bulk"]')];
  const idOf = (tick) => tick.value.split(".")[0];

  // --- selection: by id, so that it outlives refreshed rows -------------------------------------------------

  const selected = new Set();

  function showSelection() {
    const shown = new Set(ticks().map(idOf));
    for (const id of selected) if (!shown.has(id)) selected.delete(id);
    for (const tick of ticks()) {
      tick.checked = selected.has(idOf(tick));
      tick.closest("[data-alert]")?.classList.toggle("is-selected", tick.checked);
    }
    const form = bulk();
    if (!form) return;
    form.classList.toggle("some", selected.size > 0);
    const count = form.querySelector(".count");
    const text = selected.size === 1 ? count.dataset.singular : count.dataset.plural.replace("2", selected.size);
    count.textContent = selected.size ? text : "";
  }

  function clear() {
    selected.clear();
    showSelection();
  }

  document.addEventListener("change", (event) => {
    if (!event.target.matches('input[name="alert"][form="bulk"]')) return;
    if (event.target.checked) selected.add(idOf(event.target));
    else selected.delete(idOf(event.target));
    showSelection();
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-select-all]")) {
      ticks().forEach((tick) => selected.add(idOf(tick)));
      showSelection();
    }
    if (event.target.closest("[data-select-none]")) clear();
  });
  document.addEventListener("done", (event) => {
    if (!event.detail.alert) clear();
    document.querySelectorAll("form.note").forEach((form) => form.reset());
  });

  // --- groups: opened ones stay so, and are read again with the page ------------------------------------------

  const opened = new Set();

  function unfold(details) {
    htmx.trigger(details.querySelector(".under"), "unfold");
  }

  document.addEventListener("toggle", (event) => {
    const details = event.target;
    if (!details.matches?.(".group > details")) return;
    if (!details.open) opened.delete(details.id);
    else if (!opened.has(details.id)) {
      opened.add(details.id);
      unfold(details);
    }
  }, true);

  document.addEventListener("htmx:after:swap", (event) => {
    if (event.detail.ctx?.target === page()) {
      for (const id of [...opened]) {
        const details = document.getElementById(id);
        if (!details) { opened.delete(id); continue; }
        details.open = true;
        unfold(details);
      }
    }
    showSelection();
  });

  // --- keys ---------------------------------------------------------------------------------------------------

  const current = () => document.activeElement?.closest("[data-alert]:not(#page)") ?? null;
  const link = (row) => row.querySelector("h2 a, .what > a");

  function move(step) {
    const all = rows();
    const at = all.indexOf(current());
    const next = all[at === -1 ? 0 : Math.min(Math.max(at + step, 0), all.length - 1)];
    if (!next) return;
    link(next)?.focus();
    next.scrollIntoView({ block: "nearest" });
  }

  function press(action) {
    if (selected.size && bulk()) {
      bulk().querySelector(`[data-bulk="${action}"]`)?.click();
      return;
    }
    const row = current() ?? (page()?.dataset.alert ? page() : rows()[0]);
    row?.querySelector(`[data-action="${action}"]`)?.click();
  }

  function select() {
    const tick = (current() ?? rows()[0])?.querySelector('input[name="alert"]');
    tick?.click();
  }

  function open() {
    const row = current();
    if (row && !document.activeElement.matches("a, button, summary")) link(row)?.click();
  }

  const KEYS = {
    j: () => move(1),
    k: () => move(-1),
    x: select,
    a: () => press("acknowledge"),
    s: () => press("snooze"),
    c: () => press("close"),
    i: () => press("assign"),
    "/": () => document.getElementById("q")?.focus(),
    "?": () => document.getElementById("keys")?.togglePopover(),
  };
  const TYPED = "input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]";

  document.addEventListener("keydown", (event) => {
    if (event.key === " " && event.target.matches("a[role=button]")) {
      event.preventDefault();
      event.target.click();
    }
    if (event.ctrlKey || event.metaKey || event.altKey || windowed.open) return;
    if (event.target.closest(TYPED)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (event.key === "Enter") open();
    const act = KEYS[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });

  document.addEventListener("click", (event) => {
    const saved = document.querySelector("details.saved[open]");
    if (saved && !saved.contains(event.target)) saved.open = false;
  });

  showSelection();
})();
