// Fill in: rub out a part of an example, and see several completions of it and how sure they are.
import { cell, element, ramp, show } from "./draw.js";
import { ask, byId, card, exampleOf, latest, nameOf, remember, run, say, state } from "./page.js";

let example = null, names = [], gaps = [], cursor = 0;

// a bit for each cell that is rubbed out: pictures by pixel, rows by column, others by step
function packed() {
  const bytes = new Uint8Array(Math.ceil(gaps.length / 8));
  gaps.forEach((gap, place) => { if (gap) bytes[place >> 3] |= 1 << (place & 7); });
  return gaps.some(Boolean) ? btoa(String.fromCharCode(...bytes)) : "";
}

function unpacked(words, count) {
  let bytes = "";
  try { bytes = atob(words); } catch { bytes = ""; }
  return Array.from({ length: count }, (_, place) => Boolean((bytes.charCodeAt(place >> 3) || 0) >> (place & 7) & 1));
}

function cells() {
  const { kind, shape } = run.about;
  if (kind === "image") return shape[1] * shape[2];
  return kind === "row" ? names.length : shape[0];
}

function withGaps() {
  const { kind, shape } = run.about;
  if (kind === "image") return example.map((rows) => rows.map((row, y) => row.map((value, x) => gaps[y * shape[2] + x] ? null : value)));
  if (kind === "row") return Object.fromEntries(names.map((name, place) => [name, gaps[place] ? null : example[name]]));
  return example.map((value, step) => !gaps[step] ? value : Array.isArray(value) ? value.map(() => null) : null);
}

// whether anything is to be filled in: a part rubbed out, or a cell that was empty before
function toFill() { return gaps.some(Boolean) || names.some((name) => example[name] === null); }

const askAgain = latest(async () => {
  byId("filled").replaceChildren();
  if (!toFill()) { say("Rub something out first."); return; }
  say("The model fills it in.");
  const asked = state.gap;
  const found = await ask("impute", { examples: [withGaps()], draws: 6, draw: run.about.kind !== "image", seed: state.seed });
  if (state.gap !== asked) return; // something else is rubbed out by now
  say("");
  const { kind } = run.about, best = found.examples[0], spread = found.spread[0], size = 140;
  if (kind === "row") { byId("filled").replaceChildren(rowsOf(found, best, spread)); return; }
  const cards = found.completions[0].map((one, place) => card(show(one, run.about, { size }), `completion ${place + 1}`));
  const doubt = kind === "image" ? doubtOf(spread) : null;
  byId("filled").replaceChildren(
    card(show(best, run.about, { size }), "mean of all"), ...cards,
    ...(doubt ? [card(doubt, "how unsure: brighter is less sure")] : []),
  );
});

function doubtOf(spread) {
  const most = Math.max(...spread.flat(2).map((value) => value ?? 0), 1e-9), [, high, wide] = run.about.shape;
  const made = element("canvas", { class: "picture", width: wide, height: high, role: "img", "aria-label": "spread of the completions" });
  const scale = Math.max(1, Math.round(140 / Math.max(wide, high)));
  made.style.width = `${wide * scale}px`; made.style.height = `${high * scale}px`;
  const context = made.getContext("2d");
  spread[0].forEach((row, y) => row.forEach((value, x) => {
    context.fillStyle = value === null ? "#8884" : ramp(value / most);
    context.fillRect(x, y, 1, 1);
  }));
  return made;
}

function rowsOf(found, best, spread) {
  const head = element("tr", {}, ...["column", "was", "filled", "unsure", ...found.completions[0].map((_, place) => `draw ${place + 1}`)].map((words) => element("th", { scope: "col" }, words)));
  const body = names.filter((name, place) => gaps[place] || example[name] === null).map((name) => element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, cell(example[name])), element("td", { class: "changed" }, cell(best[name] ?? null)), element("td", {}, spread[name] === null || spread[name] === undefined ? "" : typeof best[name] === "string" && spread[name] <= 1 ? `${Math.round(100 * spread[name])} %` : `±\u00a0${cell(spread[name])}`), ...found.completions[0].map((one) => element("td", {}, cell(one[name] ?? null)))));
  return element("table", {}, element("thead", {}, head), element("tbody", {}, ...body));
}

// ---------------------------------------------------------------- the editor

function changed() { state.gap = packed(); remember(); }

function editor() {
  return { row: rowEditor, image: pictureEditor }[run.about.kind]?.() ?? stretchEditor();
}

function rowEditor() {
  const body = names.map((name, place) => {
    const box = element("input", { type: "checkbox", "aria-label": `rub out ${name}` });
    box.checked = gaps[place] || example[name] === null;
    box.disabled = example[name] === null;
    box.addEventListener("change", () => { gaps[place] = box.checked; changed(); askAgain(); });
    return element("tr", {}, element("td", {}, box), element("th", { scope: "row" }, name), element("td", {}, cell(example[name])));
  });
  return element("table", {}, element("tbody", {}, ...body));
}

function pictureEditor() {
  const [, high, wide] = run.about.shape, scale = Math.max(1, Math.floor(308 / Math.max(wide, high)));
  const made = element("canvas", { id: "rubber", class: "picture", tabindex: 0, width: wide * scale, height: high * scale, role: "application", "aria-label": "Picture to rub out of. Arrow keys move the rubber, Space rubs out, Enter fills in." });
  const context = made.getContext("2d"), base = show(example, run.about, { size: wide });
  const paint = () => {
    context.imageSmoothingEnabled = false;
    context.drawImage(base, 0, 0, made.width, made.height);
    gaps.forEach((gap, place) => {
      if (!gap) return;
      const x = place % wide, y = Math.floor(place / wide);
      context.fillStyle = (x + y) % 2 ? "#d55e00" : "#e69f00";
      context.fillRect(x * scale, y * scale, scale, scale);
    });
    if (document.activeElement === made) {
      context.strokeStyle = "#56b4e9"; context.lineWidth = 2;
      const side = state.brush * scale;
      context.strokeRect((cursor % wide + 0.5) * scale - side / 2, (Math.floor(cursor / wide) + 0.5) * scale - side / 2, side, side);
    }
  };
  const rub = () => {
    const half = state.brush / 2, x0 = cursor % wide, y0 = Math.floor(cursor / wide);
    for (let y = Math.ceil(y0 - half); y <= y0 + half - 0.01; y++) {
      for (let x = Math.ceil(x0 - half); x <= x0 + half - 0.01; x++) {
        if (x >= 0 && y >= 0 && x < wide && y < high) gaps[y * wide + x] = true;
      }
    }
    paint(); changed();
  };
  const follow = (event) => {
    const x = Math.floor(event.offsetX / scale), y = Math.floor(event.offsetY / scale);
    if (x < 0 || y < 0 || x >= wide || y >= high) return;
    cursor = y * wide + x; rub();
  };
  let held = false;
  made.addEventListener("pointerdown", (event) => { held = true; made.setPointerCapture(event.pointerId); follow(event); });
  made.addEventListener("pointermove", (event) => { if (held) follow(event); });
  made.addEventListener("pointerup", () => { held = false; askAgain(); });
  made.addEventListener("focus", paint);
  made.addEventListener("blur", paint);
  made.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -wide, ArrowDown: wide }[event.key];
    if (step) cursor = Math.min(gaps.length - 1, Math.max(0, cursor + step));
    else if (event.key === " ") rub();
    else if (event.key === "Enter") askAgain();
    else return;
    event.preventDefault(); paint();
  });
  cursor ||= Math.floor(high / 2) * wide + Math.floor(wide / 2);
  paint();
  return made;
}

function stretchEditor() {
  const shown = element("div", {}), last = gaps.length - 1;
  const ends = ["first", "last"].map((words, which) => {
    const known = gaps.indexOf(true), from = known < 0 ? 0 : known, to = gaps.lastIndexOf(true);
    const box = element("input", { type: "range", min: 0, max: last, step: 1, value: which ? Math.max(to, 0) : from, "aria-label": `${words} step that is rubbed out` });
    return box;
  });
  const paint = () => shown.replaceChildren(show(withGaps(), run.about, { size: 140 }));
  ends.forEach((box) => box.addEventListener("input", () => {
    const [a, b] = ends.map((one) => Number(one.value));
    gaps = gaps.map((_, step) => step >= Math.min(a, b) && step <= Math.max(a, b));
    paint(); changed();
  }));
  ends.forEach((box) => box.addEventListener("change", askAgain));
  paint();
  return element("div", {}, shown, element("p", { class: "row" }, "Rub out from ", ends[0], " to ", ends[1]));
}

export async function fillIn() {
  const index = state.chosen, one = await exampleOf(index);
  if (index !== state.chosen) return;
  example = one.example;
  names = run.about.kind === "row" ? Object.keys(example) : [];
  gaps = unpacked(state.gap, cells());
  byId("fill-name").textContent = nameOf(state.chosen);
  byId("editor").replaceChildren(editor());
  if (toFill()) await askAgain(); else byId("filled").replaceChildren();
}

export function listenToFill() {
  byId("brush").value = state.brush;
  byId("brush").addEventListener("input", (event) => { state.brush = Number(event.target.value) || 3; remember(); });
  byId("brush-label").hidden = run.about.kind !== "image";
  byId("fill-again").addEventListener("click", () => { state.seed += 1; remember(); askAgain(); });
  // at once and without a request: a hand or a key may already be at the next thing
  const again = (gap) => {
    gaps = gaps.map(gap); changed();
    byId("editor").replaceChildren(editor());
    byId("filled").replaceChildren();
    say("");
    if (toFill()) askAgain();
  };
  byId("fill-clear").addEventListener("click", () => again(() => false));
  byId("fill-half").addEventListener("click", () => {
    const wide = run.about.kind === "image" ? run.about.shape[2] : 1;
    again((_, place) => Math.floor(place / wide) >= gaps.length / wide / 2);
  });
}
