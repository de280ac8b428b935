// Draws every <figure data-plot="address">: fetches its JSON and hands it to uPlot. The server has already
// computed what is shown; here are only colours, axes, the alert's span and its limits.
"use strict";

(() => {
  const RENEW_MS = 25_000;
  const LINES = { light: ["#0b7a68", "#c25700", "#2768ad", "#8d4a9c", "#7a6a00", "#6b7780"],
                  dark: ["#5cc9b3", "#ff9f5a", "#74b5f0", "#cf94dd", "#dcc25a", "#a5b2ba"] };
  const DASHES = [[], [6, 3], [2, 3], [9, 3, 2, 3], [1, 2], [4, 4]];
  const BYTES = [[1e12, "TB"], [1e9, "GB"], [1e6, "MB"], [1e3, "kB"]];
  const WHOLE = [1, 2, 5].flatMap((digit) => [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((power) => digit * 10 ** power)).sort((a, b) => a - b);
  const language = document.documentElement.lang;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const drawn = new Map();

  function number(value, digits = 2) {
    return value.toLocaleString(language, { maximumFractionDigits: Math.abs(value) >= 100 ? 0 : digits });
  }

  function quantity(value, unit) {
    if (value === null || value === undefined) return "–";
    if (unit === "ratio") return `${number(value * 100, 1)}%`;
    if (unit === "%") return `${number(value, 1)}%`;
    if (unit === "B") {
      const [scale, name] = BYTES.find(([size]) => Math.abs(value) >= size) ?? [1, "B"];
      return `${number(value / scale, 1)} ${name}`;
    }
    if (unit === "ms" && Math.abs(value) >= 60_000) return `${number(value / 60_000, 1)} min`;
    return ["ms", "s", "dBm", "°C", "m"].includes(unit) ? `${number(value)} ${unit}` : number(value);
  }

  function whole(lines) {
    return !["ratio", "%", "s", "ms", "B", "°C", "dBm", "m"].includes(lines[0]?.unit);
  }

  function color(name, element) {
    return getComputedStyle(element).getPropertyValue(name).trim();
  }

  function clock(zone) {
    const time = new Intl.DateTimeFormat(language, { timeZone: zone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
    const day = new Intl.DateTimeFormat(language, { timeZone: zone, day: "numeric", month: "short" });
    return {
      full: (at) => `${day.format(at * 1e3)} ${time.format(at * 1e3)}`,
      ticks: (splits, step) => {
        let before = null;
        return splits.map((at) => {
          const today = day.format(at * 1e3);
          const text = step >= 86_400 || (before !== null && before !== today) ? today : time.format(at * 1e3);
          before = today;
          return text;
        });
      },
    };
  }

  function marks(data, element) {
    const pixel = () => devicePixelRatio || 1;
    return {
      drawClear: [(plot) => {
        if (!data.span) return;
        const [from, to] = data.span.map((at) => plot.valToPos(at, "x", true));
        const { left, top, width, height } = plot.bbox;
        const start = Math.max(from, left);
        plot.ctx.fillStyle = color("--tone-soft", element);
        plot.ctx.fillRect(start, top, Math.max(Math.min(to, left + width) - start, 2 * pixel()), height);
      }],
      draw: [(plot) => {
        const { ctx, bbox } = plot;
        for (const limit of data.limits ?? []) {
          const y = plot.valToPos(limit, "y", true);
          ctx.save();
          ctx.strokeStyle = color("--ink", element);
          ctx.lineWidth = 1.5 * pixel();
          ctx.setLineDash([5 * pixel(), 4 * pixel()]);
          ctx.beginPath();
          ctx.moveTo(bbox.left, y);
          ctx.lineTo(bbox.left + bbox.width, y);
          ctx.stroke();
          ctx.restore();
        }
      }],
    };
  }

  function series(data, element) {
    const palette = LINES[dark.matches ? "dark" : "light"];
    return data.series.map((line, place) => {
      const stroke = line.tone ? color("--tone-fill", element) : palette[place % palette.length];
      const bars = line.kind === "bars";
      return {
        label: line.label,
        stroke,
        width: bars ? 0 : 2,
        fill: bars ? stroke : data.series.length === 1 ? `color-mix(in srgb, ${stroke} 10%, transparent)` : undefined,
        dash: bars || place === 0 ? undefined : DASHES[place % DASHES.length],
        paths: bars ? uPlot.paths.bars({ size: [0.75, 40], align: 1, radius: 0.15 }) : uPlot.paths.linear(),
        points: { show: !bars && data.times.length < 30, size: 5, fill: stroke },
        gaps: (plot, _place, from, to, gaps) => realGaps(plot, line.values, from, to, gaps),
        value: (_plot, value) => quantity(value, line.unit),
      };
    });
  }

  // Where steps are finer than a robot's samples, every other step is empty; that is no loss of data.
  function realGaps(plot, values, from, to, gaps) {
    const known = [];
    for (let at = from; at <= to; at += 1) if (values[at] !== null) known.push(plot.data[0][at]);
    const apart = known.slice(1).map((at, place) => at - known[place]).sort((a, b) => a - b);
    const usual = apart[Math.floor(apart.length / 2)] ?? 0;
    const longest = plot.valToPos(known[0] + 3 * usual, "x", true) - plot.valToPos(known[0], "x", true);
    return gaps.filter(([start, end]) => end - start > longest);
  }

  function options(data, element) {
    const time = clock(data.zone);
    const axis = {
      stroke: color("--ink-3", element),
      grid: { stroke: color("--line", element), width: 1 },
      ticks: { show: false },
      font: `12px ${color("--sans", element)}`,
    };
    const unit = data.series[0]?.unit ?? "";
    return {
      width: Math.max(element.clientWidth - 28, 200),
      height: element.classList.contains("small") ? 150 : 200,
      padding: [12, 22, 0, 0],
      tzDate: (at) => uPlot.tzDate(new Date(at * 1e3), data.zone),
      cursor: { y: false, points: { size: 7 } },
      scales: { y: { range: (_plot, low, high) => bounds(low, high, data.limits ?? [], unit) } },
      axes: [
        { ...axis, size: 30, space: 70, values: (_plot, splits, _axis, _space, step) => time.ticks(splits, step) },
        { ...axis, size: 58, space: 34, incrs: whole(data.series) ? WHOLE : undefined, values: (_plot, splits) => splits.map((at) => quantity(at, unit)) },
      ],
      series: [{ label: "\u00a0", value: (_plot, at) => (at ? time.full(at) : "") }, ...series(data, element)],
      hooks: marks(data, element),
    };
  }

  function bounds(low, high, limits, unit) {
    const top = Math.max(high ?? 0, ...limits, 0);
    const bottom = Math.min(low ?? 0, ...limits, 0);
    const room = (top - bottom) * 0.12 || 1;
    const ceiling = unit === "ratio" && top <= 1 ? Math.min(1, top + room) : top + room;
    return [bottom < 0 ? bottom - room : 0, ceiling];
  }

  function say(element, text) {
    drawn.get(element)?.plot?.destroy();
    const note = document.createElement("span");
    note.className = "state";
    note.textContent = text;
    element.replaceChildren(note);
  }

  function show(element, data) {
    const shown = drawn.get(element);
    if (!data.series.some((line) => line.values.some((value) => value !== null))) {
      say(element, element.dataset.empty);
      shown.plot = null;
      return;
    }
    const columns = [data.times, ...data.series.map((line) => line.values)];
    shown.plot?.destroy();
    element.replaceChildren();
    shown.data = data;
    shown.plot = new uPlot(options(data, element), columns, element);
    element.dataset.drawn = "true";
  }

  async function load(element) {
    const address = element.dataset.plot;
    const shown = drawn.get(element) ?? {};
    drawn.set(element, shown);
    if (shown.address === address && Date.now() - shown.at < RENEW_MS) return;
    Object.assign(shown, { address, at: Date.now() });
    try {
      const answer = await fetch(address, { headers: { Accept: "application/json" } });
      if (!answer.ok) throw new Error(`${answer.status}`);
      const data = await answer.json();
      if (element.isConnected && shown.address === address) show(element, data);
    } catch {
      if (!shown.plot) say(element, element.dataset.failed);
    }
  }

  window.drawPlots = () => {
    for (const element of drawn.keys()) if (!element.isConnected) { drawn.get(element).plot?.destroy(); drawn.delete(element); }
    for (const element of document.querySelectorAll("[data-plot]")) {
      if (!drawn.has(element)) sizes.observe(element);
      load(element);
    }
  };

  const sizes = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const plot = drawn.get(target)?.plot;
      const width = Math.max(target.clientWidth - 28, 200);
      if (plot && Math.abs(plot.width - width) > 4) plot.setSize({ width, height: plot.height });
    }
  });
  dark.addEventListener("change", () => {
    for (const [element, shown] of drawn) if (shown.data) show(element, shown.data);
  });
  window.drawPlots();
  setInterval(window.drawPlots, 30_000);
})();
