// Two runs side by side: each its own map of the same examples, what it decodes, and what comes back.
import { element, show } from "./draw.js";
import { Scatter } from "./map.js";
import { ask, byId, guarded, latest, nameOf, placeOn, remember, run, state, told } from "./page.js";

const sides = [];
let colours = [];

function sideOf(own, prefix, plane, name) {
  const id = `pair-${own || "a"}`, decoded = byId(`${id}-decoded`);
  byId(`${id}-name`).textContent = name;
  const decode = latest(async () => {
    const z = placeOn(plane, state[`${own}x`], state[`${own}y`]);
    const found = await ask(`${prefix}decode`, { latents: [z], ...told() });
    decoded.replaceChildren(show(found.examples[0], run.about, { size: 140 }));
  });
  const map = new Scatter(byId(id), own, { moved: decode, chose: (index) => chooseBoth(index) });
  map.fill(plane.points);
  if (!map.get("zoom")) map.whole();
  return { id, prefix, map, decode };
}

const chooseBoth = latest(async (index) => {
  state.chosen = index;
  remember();
  byId("pair-chosen").textContent = nameOf(index);
  for (const { id, prefix, map } of sides) {
    map.paint();
    const one = await ask(`${prefix}example`, { index });
    if (!prefix) byId("pair-example").replaceChildren(show(one.example, run.about, { size: 140 }));
    byId(`${id}-back`).replaceChildren(show(one.reconstruction, run.about, { size: 140, other: run.about.kind === "row" ? one.example : null }));
    const scored = await ask(`${prefix}score`, { examples: [one.example], samples: 32 });
    const nats = scored.log_likelihood[0];
    byId(`${id}-score`).textContent = nats === null ? "no finite bound" : `bound on log p(x): ${nats.toFixed(1)} nats`;
  }
});

export const drawPair = guarded(async () => {
  if (!sides.length) {
    const plane = await ask("other/map");
    sides.push(sideOf("", "", run.plane, run.about.name), sideOf("b", "other/", plane, run.about.other));
    colourPair(colours);
  }
  for (const side of sides) { side.map.paint(); side.decode(); }
  await chooseBoth(state.chosen);
});

export function colourPair(chosen) {
  colours = chosen;
  sides.forEach(({ map }) => map.colour(colours));
}
