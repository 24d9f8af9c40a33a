// What all views share: requests, the state of the page, which is in its address, and messages.
import { element } from "./draw.js";

export const byId = (id) => document.getElementById(id);
const token = new URLSearchParams(location.search).get("token") || "";
export const state = { view: "map", chosen: 0, colour: "", x: 0, y: 0, zoom: 1, left: 0, top: 0, from: 0, to: 1, steps: 8, count: 24, temperature: 1, seed: 0, draw: 0, z: "", gap: "", brush: 3, a: "", b: "", push: 0 };
export const run = { about: null, plane: null, latents: [] };

export async function ask(name, body) {
  if (globalThis.answers) return globalThis.answers(name, body);
  const answer = await fetch(`/api/${name}`, {
    method: body ? "POST" : "GET",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: body ? JSON.stringify(body) : undefined,
  });
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.error);
  return found;
}

export function say(words) { byId("message").textContent = words; }

export function guarded(make) {
  return async (...given) => {
    try { await make(...given); } catch (error) { say(String(error.message || error)); }
  };
}

// one request at a time, of which the newest is never lost: a hand moves faster than answers come
export function latest(make) {
  let busy = false, next = null;
  return async function again(...given) {
    if (busy) { next = given; return; }
    busy = true;
    try { await make(...given); } catch (error) { say(String(error.message || error)); }
    busy = false;
    if (next) { const waiting = next; next = null; again(...waiting); }
  };
}

// ---------------------------------------------------------------- the address

export function restore() {
  for (const [key, value] of new URLSearchParams(location.hash.slice(1))) {
    if (key in state) state[key] = typeof state[key] === "number" ? Number(value) || 0 : value;
  }
}

let remembering;
export function remember() {
  clearTimeout(remembering);
  remembering = setTimeout(() => {
    const kept = new URLSearchParams(Object.entries(state).map(([key, value]) => [key, typeof value === "number" ? Number(value.toFixed(4)) : value]));
    history.replaceState(null, "", `#${kept}`);
  }, 150);
}

export function card(content, words, choose) {
  const text = element("p", {}, words);
  if (!choose) return element("figure", { class: "card" }, content, text);
  const made = element("button", { class: "card", type: "button" }, content, text);
  made.addEventListener("click", choose);
  return made;
}

export function nameOf(index) { return run.plane.names ? run.plane.names[index] : `no. ${index}`; }
