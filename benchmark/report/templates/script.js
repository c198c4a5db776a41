"use strict";
// Adds to a page that is complete without it: sorting, filtering, light or dark, and what lies behind numbers and maps.
// All text is set as text. Nothing is fetched.
(() => {
  const one = (query, from = document) => from.querySelector(query);
  const all = (query, from = document) => [...from.querySelectorAll(query)];
  const details = JSON.parse(one("#details").textContent);
  const drawing = one("svg")?.namespaceURI;

  /** An element with attributes (`text` is its content) and children. */
  function make(tag, { text, ...attributes } = {}, ...children) {
    const svg = ["svg", "path", "line", "text", "g"].includes(tag);
    const element = svg ? document.createElementNS(drawing, tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (text !== undefined) element.textContent = text;
    element.append(...children);
    return element;
  }

  const say = (text) => { one("#said").textContent = text; };
  const shows = (element) => element.getClientRects().length > 0;

  // Light or dark ---------------------------------------------------------------------------------------------------

  const theme = one("#theme");
  const system = matchMedia("(prefers-color-scheme: dark)");

  function stored(value) {  // a browser may refuse to remember anything of a file
    try {
      if (value) localStorage.setItem("shortcut-bench-theme", value);
      return localStorage.getItem("shortcut-bench-theme");
    } catch {
      return value ?? null;
    }
  }

  const isDark = () => (document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
  const nameTheme = () => { theme.textContent = isDark() ? "Light colours" : "Dark colours"; };

  function startTheme() {
    const chosen = stored();
    if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
    theme.addEventListener("click", () => {
      document.documentElement.dataset.theme = isDark() ? "light" : "dark";
      stored(document.documentElement.dataset.theme);
      nameTheme();
    });
    system.addEventListener("change", nameTheme);
    nameTheme();
  }

  // Sorting ---------------------------------------------------------------------------------------------------------

  /** What a field is sorted by: first numbers, then words, then what is not defined. */
  function key(cell) {
    if (one(".none", cell)) return [2, 0];
    const number = one("data", cell);
    return number ? [0, Number(number.value)] : [1, cell.textContent.trim()];
  }

  function compare([kind, a], [other, b], sign) {
    if (kind !== other) return kind - other;
    return sign * (kind === 1 ? a.localeCompare(b, "en", { numeric: true }) : a - b);
  }

  /** Of neighbours with the same first name, the first alone shows it. */
  function mergeNames(table) {
    let above = null;
    for (const row of all("tbody tr:not(.access, .off)", table)) {
      const names = all("th", row);
      if (names.length > 1) names[0].classList.toggle("again", names[0].textContent === above);
      above = names.length > 1 ? names[0].textContent : null;
    }
  }

  function startSorting(table) {
    const heads = all("thead tr:last-child > th", table);
    const bodies = all("tbody", table).map((body) => [body, all("tr:not(.access)", body)]);
    heads.forEach((head, column) => {
      const button = make("button", { type: "button", class: "sort" });
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const way = { ascending: "descending", descending: null }[head.getAttribute("aria-sort")];
        const now = way === undefined ? "ascending" : way;
        heads.forEach((each) => each.removeAttribute("aria-sort"));
        if (now) head.setAttribute("aria-sort", now);
        const sign = now === "descending" ? -1 : 1;
        for (const [body, rows] of bodies) {  // the order of the report is the start, and breaks ties
          const keyed = rows.map((row) => [key(row.children[column]), row]);
          if (now) keyed.sort(([a], [b]) => compare(a, b, sign));
          body.append(...keyed.map(([, row]) => row));
        }
        mergeNames(table);
        openOneStop(table);
        const within = bodies.length > 1 ? ", within what methods see" : "";
        const name = one("caption", table).textContent.trim();
        say(now ? `${name}: sorted by ${head.dataset.name}, ${now}${within}.` : `${name}: in the order of the report.`);
      });
    });
  }

  // Filtering -------------------------------------------------------------------------------------------------------

  const find = one("#find");
  const boxes = all("input[name=method]");

  /** The figure of a task without the rows that are filtered away: those below move up. */
  function restack(figure) {
    const rows = all("[data-row]", figure);
    const step = Number(figure.dataset.step);
    let gone = 0;
    for (const row of rows) {
      row.setAttribute("transform", `translate(0 ${-gone * step})`);
      if (row.classList.contains("off")) gone += 1;
    }
    one(".foot", figure).setAttribute("transform", `translate(0 ${-gone * step})`);
    figure.dataset.full ??= figure.getAttribute("height");
    const height = Number(figure.dataset.full) - gone * step;
    figure.setAttribute("height", height);
    figure.setAttribute("viewBox", `0 0 ${figure.getAttribute("width")} ${height}`);
  }

  function filter() {
    const words = find.value.toLowerCase().split(/[\s,]+/).filter(Boolean);
    const matches = (box) => words.every((word) => `${box.value} ${box.dataset.needs}`.toLowerCase().includes(word));
    const shown = new Set(boxes.filter((box) => box.checked && matches(box)).map((box) => box.value));
    for (const part of all("[data-method], [data-row]")) {
      part.classList.toggle("off", !shown.has(part.dataset.method ?? part.dataset.row));
    }
    for (const body of all(".headline tbody")) body.classList.toggle("off", !one("tr:not(.access, .off)", body));
    all("svg.plot").forEach(restack);
    all("table.sortable").forEach(mergeNames);
    all("table.headline, table.gallery").forEach(openOneStop);  // after all changes: it asks for the layout
    const none = shown.size || !boxes.length ? "" : " None matches the filter.";
    one("#shown").textContent = `${shown.size} of ${boxes.length} methods shown.${none}`;
    writeFragment();
  }

  /** The parts of `#place&methods=a,b&find=words`. */
  function readFragment() {
    const parts = new URLSearchParams(location.hash.slice(1));
    const place = [...parts.keys()].find((name) => !["methods", "find"].includes(name)) ?? "";
    return { place, methods: parts.get("methods"), find: parts.get("find") };
  }

  function writeFragment() {
    const checked = boxes.filter((box) => box.checked).map((box) => box.value);
    const parts = [readFragment().place];
    if (checked.length < boxes.length) parts.push(`methods=${checked.join(",")}`);
    if (find.value) parts.push(`find=${encodeURIComponent(find.value)}`);
    const fragment = parts.filter(Boolean).join("&");
    if (fragment !== location.hash.slice(1)) history.replaceState(null, "", `#${fragment}`);
  }

  /** A shared link brings its filter; a link inside the page leaves the filter as it is. */
  function followFragment() {
    const asked = readFragment();
    if (asked.methods !== null || asked.find !== null) {
      const names = asked.methods?.split(",");
      boxes.forEach((box) => { box.checked = !names || names.includes(box.value); });
      find.value = asked.find ?? "";
    }
    filter();
    if (asked.place) document.getElementById(asked.place)?.scrollIntoView();
  }

  function startFiltering() {
    find.addEventListener("input", filter);
    boxes.forEach((box) => box.addEventListener("change", filter));
    const check = (value) => () => { boxes.forEach((box) => { box.checked = value; }); filter(); };
    one("#every").addEventListener("click", check(true));
    one("#none").addEventListener("click", check(false));
    const picker = one(".picker");
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && picker.open && picker.contains(document.activeElement)) {
        picker.open = false;
        one("summary", picker).focus();
      }
    });
    document.addEventListener("click", (event) => { if (!picker.contains(event.target)) picker.open = false; });
    addEventListener("hashchange", followFragment);
    followFragment();
  }

  // One stop a table for the tab key; arrow keys move between its numbers or maps ------------------------------------

  function openOneStop(table) {
    const buttons = all(".open", table);
    const first = buttons.find((button) => shows(button) && button === document.activeElement) ?? buttons.find(shows);
    buttons.forEach((button) => { button.tabIndex = button === first ? 0 : -1; });
  }

  const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

  function startArrows(table) {
    table.addEventListener("keydown", (event) => {
      const [down, right] = ARROWS[event.key] ?? [];
      const cell = event.target.matches(".open") ? event.target.closest("td") : null;
      if (down === undefined || !cell) return;
      event.preventDefault();
      const rows = all("tbody tr", table).filter((row) => shows(row) && one(".open", row));
      let row = rows.indexOf(cell.parentElement);
      let column = cell.cellIndex;
      let next = null;
      do {
        row += down;
        column += right;
        const found = rows[row]?.cells[column];
        if (!found) return;
        next = one(".open", found);
      } while (!next || !shows(next));
      event.target.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    });
  }

  // Dialogs: behind a number, and a larger map -----------------------------------------------------------------------

  const dialog = one("#dialog");

  function open(title, ...parts) {
    one("#dialog-title").textContent = title;
    one("#dialog-body").replaceChildren(...parts);
    dialog.showModal();
    dialog.scrollTop = 0;
  }

  const head = (text) => make("h3", { text });
  const note = (text) => make("p", { class: "note", text });
  const pair = ([name, text]) => [make("dt", { text: name }), make("dd", { text })];
  const pairs = (list) => make("dl", {}, ...list.flatMap(pair));

  function grid(heads, rows) {
    const cells = (tag, texts, more) => make("tr", {}, ...texts.map((text) => make(tag, { text, ...more })));
    const top = make("thead", {}, cells("th", heads, { scope: "col" }));
    const body = make("tbody", {}, ...rows.map((texts) => cells("td", texts)));
    return make("div", { class: "scroll" }, make("table", {}, top, body));
  }

  /** A small plot of one quantity in one training: a line a part (train, val), the chosen epoch marked. */
  function plot(name, seed, parts, range, best) {
    const [low, high, last] = range;
    const x = (step) => 46 + (150 * step) / Math.max(last, 1);
    const y = (value) => 84 - (70 * (value - low)) / (high - low || 1);
    const svg = make("svg", { viewBox: "0 0 204 104", class: "curve", role: "img" });
    const known = best >= 0 && best <= last;
    if (known) svg.append(make("line", { class: "best", x1: x(best), x2: x(best), y1: 10, y2: 84 }));
    svg.append(make("path", { class: "axis", d: "M46 10V84H196" }));
    const words = [];
    for (const [part, lines] of parts) {
      const line = lines[seed] ?? [];
      if (!line.length) continue;
      const dots = line.length === 1 ? "h.1" : "";
      const way = line.map(([step, value]) => `${x(step)} ${y(value)}`).join("L");
      svg.append(make("path", { class: `line ${part}`, d: `M${way}${dots}` }));
      words.push(`${part || name} from ${line[0][1]} to ${line.at(-1)[1]}`);
    }
    const label = (text, left, top, anchor) => make("text", { text, x: left, y: top, "text-anchor": anchor });
    svg.append(label(high.toPrecision(3), 42, 16, "end"), label(low.toPrecision(3), 42, 84, "end"));
    const below = [["0", 46], [String(last), 196], [`seed ${seed}`, 121]];
    svg.append(...below.map(([text, left]) => label(text, left, 98, "middle")));
    svg.setAttribute("aria-label", `${name}, seed ${seed}, epochs 0 to ${last}: ${words.join("; ") || "no value"}`);
    return svg;
  }

  function curves(found) {
    if (!found.curves.length) return [note(found.why)];
    const rows = found.curves.map(({ name, lines }) => {
      const parts = Object.entries(lines);
      const points = parts.flatMap(([, seeds]) => Object.values(seeds).flat());
      const values = points.map(([, value]) => value);
      const range = [Math.min(...values), Math.max(...values), Math.max(...points.map(([step]) => step))];
      const plots = found.seeds.map(([seed, , , best]) => plot(name, seed, parts, range, Number(best)));
      return make("div", { class: "curves" }, make("h4", { text: name }), ...plots);
    });
    const legend = "By epoch, from 0. Solid: validation; dashed: training; vertical line: the epoch that was chosen.";
    return [note(legend), ...rows];
  }

  function strips(task, method) {
    const tables = all("table.gallery").filter((table) => table.dataset.task === task);
    const found = tables.map((table) => {
      const tiles = all("tbody td", table).filter((cell) => cell.dataset.method === method);
      const copies = tiles.flatMap((cell) => all("svg.tile", cell)).map((svg) => svg.cloneNode(true));
      return make("div", { class: "strip" }, make("h4", { text: table.dataset.explainer }), ...copies);
    });
    return found.some((strip) => one("svg", strip)) ? found : [note("No heatmaps: the results hold no gallery of it.")];
  }

  function drill(task, method, column) {
    const { columns, methods } = details.tasks[task];
    const found = methods[method];
    const [value, difference, p, units, seeds, values, signs] = found.cells[column];
    const rows = found.seeds.map(([seed, ...run], i) => [seed, values[i], ...run]);
    open(
      `${method}: ${columns[column]}`,
      pairs([
        ["Mean of the seeds", value],
        [`Difference to ${details.reference}`, difference],
        ["Holm-adjusted p", p],
        ["Test units", units],
        ["Seeds", seeds],
        ...signs.map((text) => ["Sign", text]),
      ]),
      head("Every seed"),
      grid(["Seed", "Value", "Device", "Epochs", "Best epoch, from 0", "Begun (UTC)", "Seconds", "Commit"], rows),
      head("Training"),
      ...curves(found),
      head("Heatmaps"),
      ...strips(task, method),
      head("Provenance"),
      pairs(found.facts),
    );
  }

  function startDrilling(table) {
    const task = table.dataset.task;
    for (const row of all("tbody tr[data-method]", table)) {
      const method = row.dataset.method;
      all("td", row).forEach((cell, column) => {
        if (!details.tasks[task]?.methods[method]?.cells[column]) return;
        const name = ` ${method}, ${details.tasks[task].columns[column]}: details`;
        const button = make("button", { type: "button", class: "open" });
        button.append(...cell.childNodes, make("span", { class: "hear", text: name }));
        button.addEventListener("click", () => drill(task, method, column));
        cell.append(button);
      });
    }
  }

  function startEnlarging(table) {
    for (const svg of all("tbody td svg.tile", table)) {
      const name = `${svg.getAttribute("aria-label")}: enlarge`;
      const button = make("button", { type: "button", class: "open", "aria-label": name });
      svg.replaceWith(button);
      button.append(svg);
      button.addEventListener("click", () => {
        const photo = one("th svg.tile", button.closest("tr"));
        const pictures = [photo, svg].map((each) => each.cloneNode(true));
        open(
          `${button.closest("td").dataset.method}, ${table.dataset.explainer}`,
          make("div", { class: "large" }, ...pictures),
          make("p", { text: svg.getAttribute("aria-label") }),
        );
      });
    }
  }

  // On paper: all figures, loaded; after it the page is as it was --------------------------------------------------------

  let opened = [];

  addEventListener("beforeprint", () => {
    opened = all("details.figures:not([open])");
    opened.forEach((part) => { part.open = true; });
    all("img[loading=lazy]").forEach((image) => { image.loading = "eager"; });
  });
  addEventListener("afterprint", () => {
    opened.forEach((part) => { part.open = false; });
    opened = [];
  });

  one("#close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  one("#controls").hidden = false;
  startTheme();
  all("table.sortable").forEach(startSorting);
  all("table.headline").forEach(startDrilling);
  all("table.gallery").forEach(startEnlarging);
  all("table.headline, table.gallery").forEach(startArrows);
  startFiltering();
})();
