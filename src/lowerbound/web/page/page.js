// What all views share: requests, the state of the page, which is in its address, and messages.
import { element } from "./draw.js";

export const byId = (id) => document.getElementById(id);
const token = new URLSearchParams(location.search).get("token") || "";
export const state = {
  view: "map", chosen: 0, colour: "", x: 0, y: 0, zoom: 1, left: 0, top: 0, bx: 0, by: 0, bzoom: 0, bleft: 0, btop: 0,
  from: 0, to: 1, steps: 8, count: 24, temperature: 1, seed: 0, draw: 0, where: "", told: "", z: "", gap: "", brush: 3, a: "", b: "", push: 0,
};
export const run = { about: null, plane: null, latents: [] };

export async function ask(name, body) {
  if (globalThis.answers) return globalThis.answers(name, body);
  let answer;
  try {
    answer = await fetch(`/api/${name}`, {
      method: body ? "POST" : "GET",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: body ? JSON.stringify(body) : undefined,
    });
  } catch { throw new Error("The server does not answer any more; start it again."); }
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.error);
  return found;
}

const seen = new Map();

// an example with its encoding and what comes back of it; the last few hundred are kept
export async function exampleOf(index) {
  if (!seen.has(index)) {
    const one = await ask("example", { index });
    if (seen.size >= 500) seen.delete(seen.keys().next().value);
    seen.set(index, one);
  }
  return seen.get(index);
}

// what a conditional model is told
export function told() { return state.told ? { condition: state.told } : {}; }

export function placeOn(plane, x, y) {
  return plane.centre.map((value, unit) => value + x * plane.axes[0][unit] + (plane.axes[1] ? y * plane.axes[1][unit] : 0));
}

// ---------------------------------------------------------------- messages

let bad = false;

export function say(words) { bad = false; byId("message").textContent = words; }

function complain(error) { say(String(error.message || error)); bad = true; }

export function guarded(make) {
  return async (...given) => {
    try {
      await make(...given);
      if (bad) say("");
    } catch (error) { complain(error); }
  };
}

// one request at a time, of which the newest is never lost: a hand moves faster than answers come
export function latest(make) {
  const once = guarded(make);
  let busy = false, next = null;
  return async function again(...given) {
    if (busy) { next = given; return; }
    busy = true;
    await once(...given);
    busy = false;
    if (next) { const waiting = next; next = null; await again(...waiting); }
  };
}

// ---------------------------------------------------------------- the address

export function restore() {
  for (const [key, value] of new URLSearchParams(location.hash.slice(1))) {
    if (key in state) state[key] = typeof state[key] === "number" ? Number(value) || 0 : value;
  }
  const last = run.plane.points.length - 1;
  const within = (key, low, high) => { state[key] = Math.min(high, Math.max(low, state[key])); };
  for (const key of ["chosen", "from", "to", "steps", "count", "seed", "brush"]) state[key] = Math.round(state[key]);
  for (const key of ["chosen", "from", "to"]) within(key, 0, last);
  within("steps", 2, 24); within("count", 1, 200); within("temperature", 0.05, 2); within("seed", 0, 2 ** 31); within("brush", 1, 15); within("push", -2, 2);
  within("zoom", 0.2, 500);
}

let remembering;
export function remember() {
  clearTimeout(remembering);
  remembering = setTimeout(() => {
    const kept = new URLSearchParams(Object.entries(state).map(([key, value]) => [key, typeof value === "number" ? Number(value.toFixed(4)) : value]));
    history.replaceState(null, "", `#${kept}`);
  }, 150);
}

// ---------------------------------------------------------------- cards

// the words are a button where the card can be chosen; a click anywhere on the card chooses, too
export function card(content, words, choose) {
  const made = element("figure", { class: "card" }, content, element("figcaption", {}, choose ? element("button", { class: "words", type: "button" }, words) : words));
  if (choose) {
    made.classList.add("choice");
    made.addEventListener("click", choose);
  }
  return made;
}

export function nameOf(index) { return run.plane.names ? run.plane.names[index] : `no. ${index}`; }
