// Two groups of examples: the units that tell them apart, and the way from one to the other.
import { PALETTE, element, show } from "./draw.js";
import { ask, byId, exampleOf, latest, remember, run, state, told } from "./page.js";

const groups = { a: [], b: [] };
let way = null;

function within(polygon, x, y) {
  let found = false;
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
    const [a, b] = polygon[i], [c, d] = polygon[j];
    if ((b > y) !== (d > y) && x < (c - a) * (y - b) / (d - b) + a) found = !found;
  }
  return found;
}

// a group is said by a polygon "x,y;x,y;...", by a column and the number of one of its names "name#2",
// or by the lower or upper half of its numbers "name#low"
function members(words) {
  if (!words) return [];
  const cut = words.lastIndexOf("#"), code = words.slice(cut + 1);
  if (cut >= 0) {
    const values = run.plane.colours[words.slice(0, cut)]?.values ?? [];
    const known = values.filter((value) => value !== null).sort((a, b) => a - b), middle = known[known.length >> 1];
    const belongs = { low: (value) => value < middle, high: (value) => value >= middle }[code] ?? ((value) => value === Number(code));
    return values.flatMap((value, index) => value !== null && belongs(value) ? [index] : []);
  }
  const polygon = words.split(";").map((pair) => pair.split(",").map(Number));
  return run.plane.points.flatMap(([x, y], index) => within(polygon, x, y ?? 0) ? [index] : []);
}

export function groupsOnMap(context, onScreen) {
  ["a", "b"].forEach((name, place) => {
    context.strokeStyle = PALETTE[place === 0 ? 0 : 5]; context.lineWidth = 2;
    if (state[name] && !state[name].includes("#")) {
      context.beginPath();
      state[name].split(";").forEach((pair) => context.lineTo(...onScreen(...pair.split(",").map(Number))));
      context.closePath(); context.stroke();
    }
  });
}

export function lasso(name, path, whole) {
  if (whole && path.length < 3) return;
  const thin = whole ? path.filter((_, place) => place % Math.ceil(path.length / 40) === 0) : path;
  state[name] = thin.map((pair) => pair.map((value) => value.toFixed(3)).join(",")).join(";");
  if (!whole) return;
  byId(`group-${name}`).value = "";
  remember();
  compare();
}

const push = latest(async () => {
  if (!way) return;
  const one = await exampleOf(state.chosen);
  const moved = one.latents.map((value, unit) => value + state.push * way[unit]);
  const found = await ask("decode", { latents: [one.latents, moved], ...told() });
  byId("pushed").replaceChildren(show(found.examples[1], run.about, { size: 140, other: run.about.kind === "row" ? found.examples[0] : null }));
});

export const compare = latest(async () => {
  for (const name of ["a", "b"]) {
    groups[name] = members(state[name]);
    byId(`count-${name}`).textContent = `${groups[name].length} examples`;
  }
  const both = groups.a.length > 0 && groups.b.length > 0;
  byId("apart").hidden = !both;
  if (!both) return;
  const found = await ask("apart", { first: groups.a.slice(0, 5000), second: groups.b.slice(0, 5000) });
  way = found.vector;
  byId("apart-units").replaceChildren(...found.units.slice(0, 6).map((unit, place) => element("li", {}, `unit ${unit}: ${found.effects[place] > 0 ? "higher" : "lower"} in B by ${Math.abs(found.effects[place]).toFixed(1)} spreads`)));
  await push();
});

export function listenToGroups(paint) {
  const colours = Object.entries(run.plane.colours).filter(([, known]) => known);
  const option = (value, words) => element("option", { value }, words);
  for (const name of ["a", "b"]) {
    const options = colours.flatMap(([column, { names }]) => names
      ? names.slice(0, 30).map((words, code) => option(`${column}#${code}`, `${column}: ${words || "empty"}`))
      : [option(`${column}#low`, `${column}: lower half`), option(`${column}#high`, `${column}: upper half`)]);
    byId(`group-${name}`).replaceChildren(element("option", { value: "" }, "drawn on the map"), ...options);
    byId(`group-${name}`).value = state[name].includes("#") ? state[name] : "";
    byId(`group-${name}`).addEventListener("change", (event) => { state[name] = event.target.value; remember(); paint(); compare(); });
  }
  byId("push").value = state.push;
  byId("push").addEventListener("input", (event) => { state.push = Number(event.target.value); remember(); push(); });
}
