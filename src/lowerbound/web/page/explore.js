// The page: views over the requests of the server that it came from.
import { PALETTE, cell, element, ramp, show } from "./draw.js";
import { fillIn, listenToFill } from "./fill.js";
import { compare, groupsOnMap, lasso, listenToGroups } from "./groups.js";
import { Scatter } from "./map.js";
import { ask, byId, card, exampleOf, guarded, latest, nameOf, placeOn, remember, restore, run, say, state, told } from "./page.js";
import { colourPair, drawPair } from "./pair.js";
import { save, usual } from "./save.js";
import { stop } from "./sound.js";

// ---------------------------------------------------------------- views

const views = { map: () => drawMap(), units: () => drawUnits(), between: () => drawWay(), fill: () => fillIn(), odd: () => drawOdd(), new: () => drawNew(), pair: () => drawPair() };

function open(view) {
  stop();
  state.view = view in views ? view : "map";
  for (const name of Object.keys(views)) {
    const here = name === state.view;
    byId(`view-${name}`).hidden = !here;
    byId(`tab-${name}`).setAttribute("aria-selected", here);
    byId(`tab-${name}`).tabIndex = here ? 0 : -1;
  }
  say("");
  remember();
  guarded(views[state.view])();
}

// ---------------------------------------------------------------- map

const map = new Scatter(byId("map"), "", {
  moved: () => decodeHere(),
  chose: (index) => choose(index),
  hovered: (...where) => hover(...where),
  over: groupsOnMap,
  hand: () => byId("hand").value,
  lassoed: lasso,
});

const pickColours = latest(async () => {
  const name = state.colour, legend = byId("legend");
  if (name in run.plane.colours && !run.plane.colours[name]) {
    say(`finding the ${name} of each example`);
    run.plane.colours[name] = await ask("colour", { name });
    say("");
  }
  const known = run.plane.colours[name];
  legend.replaceChildren();
  const swatch = (colour, words) => {
    const spot = element("canvas", { width: 12, height: 12, "aria-hidden": "true" });
    const context = spot.getContext("2d");
    context.fillStyle = colour; context.fillRect(0, 0, 12, 12);
    legend.append(element("li", {}, spot, words));
  };
  let colours;
  if (!known) colours = run.plane.points.map(() => PALETTE[0]);
  else if (known.names) {
    colours = known.values.map((code) => PALETTE[code % PALETTE.length]);
    known.names.slice(0, 20).forEach((words, code) => swatch(PALETTE[code % PALETTE.length], words || "empty"));
  } else {
    const numbers = known.values.filter((value) => value !== null).sort((a, b) => a - b);
    const low = numbers[Math.floor(0.01 * numbers.length)], high = numbers[Math.floor(0.99 * numbers.length)];
    colours = known.values.map((value) => value === null ? "#888888" : ramp((value - low) / (high - low || 1)));
    [0, 0.5, 1].forEach((share) => swatch(ramp(share), cell(low + share * (high - low))));
    if (numbers.length < known.values.length) swatch("#888888", "not known");
  }
  map.colour(colours);
  colourPair(colours);
});

const decodeHere = latest(async () => {
  const z = placeOn(run.plane, state.x, state.y);
  const found = await ask("decode", { latents: [z], ...told() });
  byId("decoded").replaceChildren(show(found.examples[0], run.about, { size: innerWidth > 760 ? 160 : 112 }));
  run.latents = z;
  // its neighbours when the hand rests: they are several requests
  clearTimeout(resting);
  resting = setTimeout(() => nearHere(z), 120);
});

let resting;
const nearHere = latest((z) => near(z, "near", "Examples nearest to the place"));

// examples that lie nearest to a place, into the element `id`
async function near(z, id, words, none = -1) {
  const found = await ask("nearest", { latents: z }), cards = [];
  for (const [place, index] of found.indices.entries()) {
    if (index === none || cards.length === 4) continue;
    const one = await exampleOf(index);
    cards.push(card(show(one.example, run.about, { size: 64 }), `${nameOf(index)}, ${found.distances[place].toFixed(2)} away`, () => choose(index)));
  }
  byId(`${id}-title`).textContent = words;
  byId(id).replaceChildren(...cards);
  return found;
}

const choose = latest(async (index) => {
  state.chosen = index;
  map.paint();
  remember();
  const one = await exampleOf(index);
  byId("chosen-name").textContent = nameOf(index);
  byId("chosen").replaceChildren(show(one.example, run.about, { size: 110 }), element("p", { class: "hint" }, "and as it comes back:"), show(one.reconstruction, run.about, { size: 110, other: run.about.kind === "row" ? one.example : null }));
  if (state.view === "map") compare();
});

let shown = -1;
const hover = latest(async (index, px, py) => {
  const box = byId("hover");
  if (index === null) { shown = -1; box.hidden = true; return; }
  if (index !== shown) {
    const one = await exampleOf(index);
    box.replaceChildren(show(one.example, run.about, { size: 72 }), element("p", {}, nameOf(index)));
    shown = index;
  }
  box.hidden = false;
  box.style.left = `${Math.max(0, Math.min(px + 12, byId("map").clientWidth - box.offsetWidth - 4))}px`;
  box.style.top = `${Math.max(0, Math.min(py + 12, byId("map").clientHeight - box.offsetHeight - 4))}px`;
});

async function drawMap() {
  map.paint();
  pickColours();
  decodeHere();
  await choose(state.chosen);
}

function listenToMap() {
  const middle = () => [map.canvas.clientWidth / 2, map.canvas.clientHeight / 2];
  byId("whole").addEventListener("click", () => { map.whole(); map.paint(); remember(); });
  byId("nearer").addEventListener("click", () => map.zoomAt(...middle(), 1.5));
  byId("further").addEventListener("click", () => map.zoomAt(...middle(), 1 / 1.5));
  byId("neighbours").addEventListener("click", guarded(async () => {
    const one = await exampleOf(state.chosen);
    await near(one.latents, "near", `Examples nearest to ${nameOf(state.chosen)}`, state.chosen);
  }));
  byId("colour").addEventListener("change", (event) => { state.colour = event.target.value; pickColours(); remember(); });
}

// ---------------------------------------------------------------- units

const decodeUnits = latest(async () => {
  const found = await ask("decode", { latents: [run.latents], ...told() });
  byId("unit-decoded").replaceChildren(show(found.examples[0], run.about, { size: innerWidth > 760 ? 240 : 168 }));
});

// the group of latents that a unit belongs to, and its number there
function groupOf(unit) {
  let first = 0;
  for (const [name, shape] of Object.entries(run.about.latents)) {
    const size = shape.reduce((a, b) => a * b, 1);
    if (unit < first + size) return [name, unit - first];
    first += size;
  }
  return ["", unit];
}

async function drawUnits() {
  const z = state.z.split(",").map(Number);
  if (z.length === run.plane.centre.length && z.every(Number.isFinite)) run.latents = z;
  if (run.latents.length !== run.plane.centre.length) run.latents = [...run.plane.centre];
  const names = Object.keys(run.about.latents), groups = new Map(names.map((name) => [name, []]));
  for (const unit of run.plane.units.slice(0, 48)) {
    const low = Math.min(run.plane.low[unit], run.latents[unit]), high = Math.max(run.plane.high[unit], run.latents[unit]);
    const number = element("output", {}, run.latents[unit].toFixed(2)), [group, own] = groupOf(unit), words = names.length > 1 ? `${group} ${own}` : `unit ${unit}`;
    const slider = element("input", { type: "range", min: low, max: high, step: (high - low) / 200 || 0.01, "aria-label": words });
    slider.value = run.latents[unit];
    slider.addEventListener("input", () => {
      run.latents[unit] = Number(slider.value); number.textContent = run.latents[unit].toFixed(2);
      state.z = run.latents.map((value) => value.toFixed(3)).join(",");
      decodeUnits(); remember();
    });
    groups.get(group).push(element("div", { class: "unit" }, element("span", {}, words), slider, number));
  }
  const rows = [...groups].flatMap(([name, sliders]) => names.length > 1 && sliders.length ? [element("h2", {}, `Group ${name}`), ...sliders] : sliders);
  byId("sliders").replaceChildren(...rows);
  await decodeUnits();
}

// ---------------------------------------------------------------- between, odd, new

const drawWay = latest(async () => {
  const ends = [await exampleOf(state.from), await exampleOf(state.to)];
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
  const found = await ask("decode", { latents: way, ...told() });
  const shown = found.examples.map((one, step) => card(show(one, run.about, { other: run.about.kind === "row" && step ? found.examples[step - 1] : null }), `step ${step + 1}`));
  byId("way").replaceChildren(card(show(ends[0].example, run.about), "from"), ...shown, card(show(ends[1].example, run.about), "to"));
});

async function drawOdd() {
  if (!byId("odd").children.length) say("The model scores the examples.");
  const found = await ask("odd");
  const cards = [], first = found.indices.slice(0, 24);
  const { shares } = await ask("shares", { indices: first });
  for (const [place, index] of first.entries()) {
    const one = await exampleOf(index);
    cards.push(card(show(one.example, run.about, { shares: shares[place] }), `${nameOf(index)}: ${found.scores[place].toFixed(1)} nats`, () => { state.chosen = index; open("map"); }));
  }
  byId("odd").replaceChildren(...cards);
  say("");
}

let made = [];
const drawNew = latest(async () => {
  const where = state.where.split(";").map((one) => one.trim()).filter(Boolean);
  const found = await ask("generate", { count: state.count, temperature: state.temperature, seed: state.seed, draw: Boolean(state.draw), ...(where.length ? { where } : {}), ...told() });
  made = found.examples;
  const near = run.about.offline ? null : nearTo;
  byId("like-title").hidden = true; byId("like").replaceChildren();
  byId("made").replaceChildren(...made.map((one, index) => card(show(one, run.about), `${index + 1}`, near && (() => near(one, index)))));
});

// is a new example a copy of one that there is?
const nearTo = latest(async (one, index) => {
  // the mean of a picture lies between its levels, and the model reads levels
  const whole = (value) => Array.isArray(value) ? value.map(whole) : Math.round(value);
  const found = await ask("encode", { examples: [run.about.kind === "image" && run.about.schema.fields[0].levels ? whole(one) : one] });
  const { usual: far } = await near(found.latents[0], "like", "");
  byId("like-title").textContent = `Examples nearest to new example ${index + 1}; between neighbours ${far.toFixed(2)} is usual`;
  byId("like-title").hidden = false;
  byId("like-title").scrollIntoView({ block: "nearest" });
});

function listenToNumbers() {
  const watch = (id, view, least, most) => {
    const input = byId(id);
    input.value = state[id];
    input.addEventListener("change", () => {
      const value = Math.min(most, Math.max(least, Number(input.value) || least));
      state[id] = Number.isInteger(least) ? Math.round(value) : value;
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
  const form = usual[run.about.kind];
  byId("save").textContent = `Save as ${form}`;
  byId("save").addEventListener("click", guarded(() => save(made, run.about, byId("made"), form)));
  byId("save-json").addEventListener("click", guarded(() => save(made, run.about, byId("made"), "JSON")));
  byId("where-label").hidden = run.about.kind !== "row" || Boolean(run.about.offline);
  byId("where").value = state.where;
  byId("where").addEventListener("change", (event) => { state.where = event.target.value; remember(); drawNew(); });
  byId("from-chosen").addEventListener("click", guarded(async () => {
    run.latents = (await exampleOf(state.chosen)).latents;
    state.z = run.latents.map((value) => value.toFixed(3)).join(",");
    await drawUnits();
  }));
  const conditions = Object.entries(run.about.conditions ?? {}).flatMap(([name, words]) => words.map((word) => `${name}=${word}`));
  byId("told-label").hidden = !conditions.length;
  byId("told").replaceChildren(element("option", { value: "" }, "any"), ...conditions.map((words) => element("option", { value: words }, words)));
  byId("told").value = state.told;
  byId("told").addEventListener("change", (event) => { state.told = event.target.value; open(state.view); });
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
  byId("about").textContent = `${run.about.name}: ${run.about.data}`;
  document.title = `lowerbound: ${run.about.name}`;
  run.plane = await ask("map");
  map.fill(run.plane.points);
  map.whole();
  const names = Object.keys(run.plane.colours);
  state.colour = names[0];
  state.draw = Number(run.about.kind !== "image");
  restore();
  if (!names.includes(state.colour)) state.colour = names[0];
  byId("colour").replaceChildren(...names.map((name) => element("option", { value: name }, name)));
  byId("colour").value = state.colour;
  listenToMap();
  listenToNumbers();
  const { offline, kind, other } = run.about;
  const closed = new Set([...(offline === "grid" ? ["units", "between"] : []), ...(offline || kind === "text" || kind === "tune" ? ["fill"] : []), ...(other ? [] : ["pair"])]);
  for (const view of closed) { delete views[view]; byId(`tab-${view}`).hidden = byId(`view-${view}`).hidden = true; }
  listenToTabs();
  listenToFill();
  listenToGroups(() => map.paint());
  window.addEventListener("hashchange", () => location.reload());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => open(state.view));
  open(state.view);
  document.body.dataset.ready = "yes";
})();
