// The page: views over the requests of the server that it came from.
import { PALETTE, cell, element, ramp, show } from "./draw.js";
import { fillIn, listenToFill } from "./fill.js";
import { compare, groupsOnMap, lasso, listenToGroups } from "./groups.js";
import { ask, byId, card, guarded, latest, nameOf, remember, restore, run, say, state } from "./page.js";

// ---------------------------------------------------------------- views

const views = { map: () => drawMap(), units: () => drawUnits(), fill: () => fillIn(), between: () => drawWay(), odd: () => drawOdd(), new: () => drawNew() };

function open(view) {
  state.view = view in views ? view : "map";
  for (const name of Object.keys(views)) {
    const here = name === state.view;
    byId(`view-${name}`).hidden = !here;
    byId(`tab-${name}`).setAttribute("aria-selected", here);
    byId(`tab-${name}`).tabIndex = here ? 0 : -1;
  }
  remember();
  guarded(views[state.view])();
}

// ---------------------------------------------------------------- map

const canvas = byId("map");
let scale = 1, colours = [];

let framed = null;

function frame() {
  if (framed) return framed;
  const points = run.plane.points, xs = points.map((p) => p[0]), ys = points.map((p) => p[1] ?? 0);
  let lowX = Infinity, highX = -Infinity, lowY = Infinity, highY = -Infinity;
  for (let i = 0; i < xs.length; i++) {
    lowX = Math.min(lowX, xs[i]); highX = Math.max(highX, xs[i]);
    lowY = Math.min(lowY, ys[i]); highY = Math.max(highY, ys[i]);
  }
  framed = { lowX, highX, lowY, highY };
  return framed;
}

function onScreen(x, y) {
  return [canvas.clientWidth / 2 + (x - state.left) * scale, canvas.clientHeight / 2 - (y - state.top) * scale];
}

function onPlane(px, py) {
  return [state.left + (px - canvas.clientWidth / 2) / scale, state.top - (py - canvas.clientHeight / 2) / scale];
}

function fit() {
  const { lowX, highX, lowY, highY } = frame();
  state.left = (lowX + highX) / 2; state.top = (lowY + highY) / 2; state.zoom = 1;
}

function pickColours() {
  const told = run.plane.colours[state.colour];
  const legend = byId("legend");
  legend.replaceChildren();
  if (!told) { colours = run.plane.points.map(() => PALETTE[0]); return; }
  const swatch = (colour, words) => {
    const spot = element("canvas", { width: 12, height: 12 });
    const context = spot.getContext("2d");
    context.fillStyle = colour; context.fillRect(0, 0, 12, 12);
    legend.append(element("li", {}, spot, words));
  };
  if (told.names) {
    colours = told.values.map((code) => PALETTE[code % PALETTE.length]);
    told.names.slice(0, 20).forEach((name, code) => swatch(PALETTE[code % PALETTE.length], name || "empty"));
    return;
  }
  const known = told.values.filter((value) => value !== null).sort((a, b) => a - b);
  const low = known[Math.floor(0.01 * known.length)], high = known[Math.floor(0.99 * known.length)];
  colours = told.values.map((value) => value === null ? "#999" : ramp((value - low) / (high - low || 1)));
  [0, 0.5, 1].forEach((share) => swatch(ramp(share), cell(low + share * (high - low))));
}

function paint() {
  const ratio = window.devicePixelRatio || 1, wide = canvas.clientWidth, high = canvas.clientHeight;
  if (canvas.width !== Math.round(wide * ratio) || canvas.height !== Math.round(high * ratio)) { canvas.width = Math.round(wide * ratio); canvas.height = Math.round(high * ratio); }
  const { lowX, highX, lowY, highY } = frame();
  scale = state.zoom * 0.92 * Math.min(wide / (highX - lowX || 1), high / (highY - lowY || 1));
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, wide, high);
  const size = run.plane.points.length > 5000 ? 2 : 4;
  let last = null;
  run.plane.points.forEach(([x, y], index) => {
    const [px, py] = onScreen(x, y ?? 0);
    if (px < -4 || py < -4 || px > wide + 4 || py > high + 4) return;
    if (colours[index] !== last) context.fillStyle = last = colours[index];
    context.fillRect(px - size / 2, py - size / 2, size, size);
  });
  const ink = getComputedStyle(document.body).color;
  const ring = (x, y, radius) => {
    const [px, py] = onScreen(x, y);
    context.strokeStyle = ink; context.lineWidth = 2;
    context.beginPath(); context.arc(px, py, radius, 0, 7); context.stroke();
  };
  groupsOnMap(context, onScreen);
  const own = run.plane.points[state.chosen];
  if (own) ring(own[0], own[1] ?? 0, 7);
  const [px, py] = onScreen(state.x, state.y);
  context.beginPath(); context.moveTo(px - 9, py); context.lineTo(px + 9, py);
  context.moveTo(px, py - 9); context.lineTo(px, py + 9); context.stroke();
}

function placeOf(x, y) {
  return run.plane.centre.map((value, unit) => value + x * run.plane.axes[0][unit] + (run.plane.axes[1] ? y * run.plane.axes[1][unit] : 0));
}

const decodeHere = latest(async () => {
  const z = placeOf(state.x, state.y);
  const found = await ask("decode", { latents: [z] });
  byId("decoded").replaceChildren(show(found.examples[0], run.about, { size: 200 }));
  run.latents = z;
  const near = await ask("nearest", { latents: z });
  const cards = [];
  for (const [place, index] of near.indices.slice(0, 4).entries()) {
    const one = await ask("example", { index });
    cards.push(card(show(one.example, run.about, { size: 64 }), `${nameOf(index)}, ${near.distances[place].toFixed(2)} away`, () => choose(index)));
  }
  byId("near").replaceChildren(...cards);
});

const choose = guarded(async (index) => {
  state.chosen = index;
  const one = await ask("example", { index });
  byId("chosen-name").textContent = nameOf(index);
  byId("chosen").replaceChildren(show(one.example, run.about, { size: 140 }), element("p", { class: "hint" }, "and as it comes back:"), show(one.reconstruction, run.about, { size: 140, other: run.about.kind === "row" ? one.example : null }));
  remember();
  if (state.view === "map") paint();
  return one;
});

function nearestPoint(x, y) {
  let best = 0, least = Infinity;
  run.plane.points.forEach(([a, b], index) => {
    const away = (a - x) ** 2 + ((b ?? 0) - y) ** 2;
    if (away < least) { least = away; best = index; }
  });
  return best;
}

async function drawMap() {
  pickColours();
  paint();
  compare();
  decodeHere();
  await choose(Math.min(state.chosen, run.plane.points.length - 1));
}

function moveTo(x, y) { state.x = x; state.y = y; paint(); decodeHere(); remember(); }

function listenToMap() {
  let start = null;
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    start = { px: event.offsetX, py: event.offsetY, left: state.left, top: state.top, moved: false, path: [] };
    const drawing = byId("hand").value;
    if (drawing !== "move") start.path.push(onPlane(event.offsetX, event.offsetY));
    else if (!event.shiftKey) moveTo(...onPlane(event.offsetX, event.offsetY));
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!start) return;
    start.moved ||= Math.hypot(event.offsetX - start.px, event.offsetY - start.py) > 4;
    if (event.shiftKey) {
      state.left = start.left - (event.offsetX - start.px) / scale;
      state.top = start.top + (event.offsetY - start.py) / scale;
      paint(); remember();
    } else if (start.path.length) {
      start.path.push(onPlane(event.offsetX, event.offsetY));
      state[byId("hand").value] = start.path.map((pair) => pair.map((value) => value.toFixed(2)).join(",")).join(";");
      paint();
    } else moveTo(...onPlane(event.offsetX, event.offsetY));
  });
  canvas.addEventListener("pointerup", (event) => {
    if (start?.path.length) { byId(`group-${byId("hand").value}`).value = ""; lasso(byId("hand").value, start.path); paint(); }
    else if (start && !start.moved) choose(nearestPoint(...onPlane(event.offsetX, event.offsetY)));
    start = null;
  });
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const [x, y] = onPlane(event.offsetX, event.offsetY), factor = Math.exp(-event.deltaY / 400);
    state.zoom = Math.min(200, Math.max(0.2, state.zoom * factor));
    state.left = x - (x - state.left) / factor; state.top = y - (y - state.top) / factor;
    paint(); remember();
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const step = 12 / scale, moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
    if (moves[event.key]) moveTo(state.x + moves[event.key][0], state.y + moves[event.key][1]);
    else if (event.key === "+" || event.key === "-") { state.zoom *= event.key === "+" ? 1.25 : 0.8; paint(); remember(); }
    else if (event.key === "Enter") choose(nearestPoint(state.x, state.y));
    else return;
    event.preventDefault();
  });
  byId("whole").addEventListener("click", () => { fit(); paint(); remember(); });
  byId("colour").addEventListener("change", (event) => { state.colour = event.target.value; pickColours(); paint(); remember(); });
  window.addEventListener("resize", () => { if (state.view === "map") paint(); });
}

// ---------------------------------------------------------------- units

const decodeUnits = latest(async () => {
  const found = await ask("decode", { latents: [run.latents] });
  byId("unit-decoded").replaceChildren(show(found.examples[0], run.about, { size: 280 }));
});

async function drawUnits() {
  if (state.z) run.latents = state.z.split(",").map(Number);
  if (run.latents.length !== run.plane.centre.length) run.latents = [...run.plane.centre];
  const rows = run.plane.units.slice(0, 32).map((unit) => {
    const low = Math.min(run.plane.low[unit], run.latents[unit]), high = Math.max(run.plane.high[unit], run.latents[unit]);
    const number = element("output", {}, run.latents[unit].toFixed(2));
    const slider = element("input", { type: "range", min: low, max: high, step: (high - low) / 200 || 0.01, value: run.latents[unit], "aria-label": `unit ${unit}` });
    slider.value = run.latents[unit];
    slider.addEventListener("input", () => {
      run.latents[unit] = Number(slider.value); number.textContent = run.latents[unit].toFixed(2);
      state.z = run.latents.map((value) => value.toFixed(3)).join(",");
      decodeUnits(); remember();
    });
    return element("div", { class: "unit" }, element("span", {}, `unit ${unit}`), slider, number);
  });
  byId("sliders").replaceChildren(...rows);
  decodeUnits();
}

// ---------------------------------------------------------------- between, odd, new

const drawWay = latest(async () => {
  const ends = [await ask("example", { index: state.from }), await ask("example", { index: state.to })];
  const [a, b] = ends.map((end) => end.latents), norm = (v) => Math.hypot(...v) || 1e-9;
  const cosine = a.reduce((sum, value, unit) => sum + value * b[unit], 0) / (norm(a) * norm(b));
  const angle = Math.acos(Math.max(-1, Math.min(1, cosine)));
  const way = Array.from({ length: state.steps }, (_, step) => {
    const t = step / (state.steps - 1);
    if (Math.sin(angle) < 1e-4) return a.map((value, unit) => (1 - t) * value + t * b[unit]);
    // the great circle, with norms between those of the ends (White, 2016)
    const length = (1 - t) * norm(a) + t * norm(b);
    return a.map((value, unit) => length * (Math.sin((1 - t) * angle) * value / norm(a) + Math.sin(t * angle) * b[unit] / norm(b)) / Math.sin(angle));
  });
  const found = await ask("decode", { latents: way });
  const shown = found.examples.map((one, step) => card(show(one, run.about, { other: run.about.kind === "row" && step ? found.examples[step - 1] : null }), `step ${step + 1}`));
  byId("way").replaceChildren(card(show(ends[0].example, run.about), "from"), ...shown, card(show(ends[1].example, run.about), "to"));
});

async function drawOdd() {
  say("scoring");
  const found = await ask("odd");
  const cards = [], first = found.indices.slice(0, 24);
  const { shares } = await ask("shares", { indices: first });
  for (const [place, index] of first.entries()) {
    const one = await ask("example", { index });
    cards.push(card(show(one.example, run.about, { shares: shares[place] }), `${nameOf(index)}: ${found.scores[place].toFixed(1)} nats`, () => { choose(index); open("map"); }));
  }
  byId("odd").replaceChildren(...cards);
  say("");
}

let made = [];
const drawNew = latest(async () => {
  const found = await ask("generate", { count: state.count, temperature: state.temperature, seed: state.seed, draw: Boolean(state.draw) });
  made = found.examples;
  byId("made").replaceChildren(...made.map((one, index) => card(show(one, run.about), `${index + 1}`)));
});

function listenToNumbers() {
  const watch = (id, view, least, most) => {
    const input = byId(id);
    input.value = state[id];
    input.addEventListener("change", () => {
      state[id] = Math.min(most, Math.max(least, Number(input.value) || least));
      input.value = state[id];
      remember();
      view();
    });
  };
  const last = run.plane.points.length - 1;
  watch("from", drawWay, 0, last);
  watch("to", drawWay, 0, last);
  watch("steps", drawWay, 2, 24);
  watch("count", drawNew, 1, 200);
  watch("temperature", drawNew, 0.05, 2);
  watch("seed", drawNew, 0, 2 ** 31);
  byId("draw").checked = Boolean(state.draw);
  byId("draw").addEventListener("change", (event) => { state.draw = Number(event.target.checked); remember(); drawNew(); });
  byId("again").addEventListener("click", () => { state.seed += 1; byId("seed").value = state.seed; remember(); drawNew(); });
  byId("save").addEventListener("click", () => {
    const file = new Blob([JSON.stringify(made)], { type: "application/json" });
    const link = element("a", { href: URL.createObjectURL(file), download: "examples.json" });
    link.click();
    URL.revokeObjectURL(link.href);
  });
  byId("from-chosen").addEventListener("click", guarded(async () => {
    run.latents = (await ask("example", { index: state.chosen })).latents;
    state.z = run.latents.map((value) => value.toFixed(3)).join(",");
    await drawUnits();
  }));
  byId("from-centre").addEventListener("click", guarded(async () => {
    run.latents = [...run.plane.centre]; state.z = ""; await drawUnits();
  }));
}

function listenToTabs() {
  const names = Object.keys(views);
  names.forEach((name, place) => {
    const tab = byId(`tab-${name}`);
    tab.addEventListener("click", () => open(name));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = names[(place + step + names.length) % names.length];
      open(next);
      byId(`tab-${next}`).focus();
    });
  });
}

guarded(async () => {
  run.about = await ask("about");
  byId("about").textContent = run.about.data;
  document.title = `lowerbound: ${run.about.data}`;
  run.plane = await ask("map");
  fit();
  const names = Object.keys(run.plane.colours);
  state.colour = names[0] || "";
  state.draw = Number(run.about.kind !== "image");
  restore();
  byId("colour").replaceChildren(...names.map((name) => element("option", { value: name }, name)));
  byId("colour").value = state.colour;
  listenToMap();
  listenToNumbers();
  const closed = run.about.offline === "grid" ? ["fill", "units", "between"] : run.about.offline || run.about.kind === "text" ? ["fill"] : [];
  for (const view of closed) { delete views[view]; byId(`tab-${view}`).hidden = byId(`view-${view}`).hidden = true; }
  listenToTabs();
  listenToFill();
  listenToGroups(paint);
  window.addEventListener("hashchange", () => { restore(); open(state.view); });
  open(state.view);
  document.body.dataset.ready = "yes";
})();
