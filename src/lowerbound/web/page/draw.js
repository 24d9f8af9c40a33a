// How an example of each kind of data is shown.
import { notesOf, play, stop } from "./sound.js";

// colours that differ for colour-blind eyes, too (Okabe and Ito, 2008)
export const PALETTE = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b5a300", "#7a828e", "#332288", "#882255"];

export function ramp(share) {
  // dark blue to yellow, even in lightness
  const stops = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];
  const at = Math.min(0.9999, Math.max(0, share)) * (stops.length - 1);
  const low = Math.floor(at), part = at - low;
  return `rgb(${stops[low].map((c, i) => Math.round(c + part * (stops[low + 1][i] - c))).join(" ")})`;
}

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

// how odd a cell is, as a colour behind it: nothing at 0 nats, strong from 6 on
function heat(nats) { return `rgb(213 94 0 / ${Math.round(60 * Math.min(1, Math.max(0, (nats - 0.5) / 6)))}%)`; }

export function show(example, about, { size = 112, other = null, shares = null } = {}) {
  const kind = about.kind;
  if (kind === "image") return picture(example, about, size, shares);
  if (kind === "row") return row(example, other, shares);
  if (kind === "text") return text(example, shares);
  if (kind === "tune") return tune(example, about, size, shares);
  return lines(kind === "series" ? transpose(example) : [example], size, shares);
}

function text(example, shares) {
  if (!shares) return element("div", { class: "text" }, String(example) || "(empty)");
  const spans = [...example].map((character, place) => {
    const span = element("span", { title: `${shares[place].toFixed(1)} nats` }, character);
    span.style.backgroundColor = heat(shares[place] - 1);
    return span;
  });
  return element("div", { class: "text" }, ...spans);
}

const LETTERS = ["C", "C sharp", "D", "E flat", "E", "F", "F sharp", "G", "A flat", "A", "B flat", "B"];

// a piano roll: time to the right, pitch up; and a button that plays it
function tune(tokens, about, size, shares) {
  const { notes, length } = notesOf(tokens), ratio = window.devicePixelRatio || 1;
  const width = 2.2 * size, height = 0.8 * size, steps = Math.max(1, about.shape[0] - 1);
  const names = notes.map(({ pitch }) => `${LETTERS[pitch % 12]} ${Math.floor(pitch / 12) - 1}`).join(", ");
  const made = element("canvas", { class: "roll", width: width * ratio, height: height * ratio, role: "img", "aria-label": `tune of ${length} sixteenths: ${names || "silence"}` });
  made.style.width = `${width}px`; made.style.height = `${height}px`;
  const context = made.getContext("2d"), style = getComputedStyle(document.body);
  context.scale(ratio, ratio);
  const pitches = notes.map((note) => note.pitch), low = Math.min(60, ...pitches) - 1, high = Math.max(72, ...pitches) + 1;
  const wide = width / steps, tall = height / (high - low + 1);
  (shares || []).forEach((nats, step) => { context.fillStyle = heat(nats - 1); context.fillRect(step * wide, 0, wide, height); });
  context.fillStyle = style.getPropertyValue("--rule");
  for (let step = 0; step <= steps; step += 16) context.fillRect(Math.min(width - 1, step * wide), 0, 1, height);
  for (const { start, length: lasts, pitch } of notes) {
    const top = (high - pitch) * tall;
    context.fillStyle = PALETTE[4]; context.fillRect(start * wide, top, lasts * wide - 1, Math.max(2, tall));
    context.fillStyle = style.color; context.fillRect(start * wide, top, 2, Math.max(2, tall));
  }
  if (!notes.length) return element("div", { class: "tune" }, made, element("span", { class: "hint" }, "silence"));
  const button = element("button", { class: "play", type: "button", "aria-label": "Play the tune" }, "Play");
  button.addEventListener("click", (event) => {
    event.stopPropagation();
    if (button.textContent === "Stop") { stop(); return; }
    play(tokens, () => { button.textContent = "Play"; button.setAttribute("aria-label", "Play the tune"); });
    button.textContent = "Stop"; button.setAttribute("aria-label", "Stop the tune");
  });
  return element("div", { class: "tune" }, made, button);
}

function picture(example, about, size, shares) {
  const [channels, height, width] = about.shape;
  const levels = about.schema.fields[0].levels;
  let low = 0, high = levels ? levels - 1 : 1;
  if (!levels) {
    const all = example.flat(2);
    low = Math.min(...all);
    high = Math.max(...all, low + 1e-9);
  }
  const made = element("canvas", { class: "picture", width, height, role: "img", "aria-label": "picture" });
  const scale = Math.max(1, Math.round(size / Math.max(width, height)));
  made.style.width = `${width * scale}px`;
  made.style.height = `${height * scale}px`;
  const context = made.getContext("2d"), pixels = context.createImageData(width, height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = 4 * (y * width + x);
      for (let c = 0; c < 3; c++) {
        const value = example[channels >= 3 ? c : 0][y][x];
        const grey = value === null ? 128 : 255 * (value - low) / (high - low);
        const odd = shares ? Math.min(0.75, Math.max(0, (shares.reduce((sum, part) => sum + (part[y][x] ?? 0), 0) - 1) / 8)) : 0;
        pixels.data[at + c] = (1 - odd) * grey + odd * [213, 94, 0][c];
      }
      pixels.data[at + 3] = 255;
    }
  }
  context.putImageData(pixels, 0, 0);
  return made;
}

export function cell(value) {
  if (value === null) return "empty";
  if (typeof value === "number" && !Number.isInteger(value)) return value.toPrecision(4);
  return String(value);
}

function row(example, other, shares) {
  const body = element("tbody");
  for (const [name, value] of Object.entries(example)) {
    const changed = other !== null && cell(other[name]) !== cell(value);
    const cells = [element("td", { class: changed ? "changed" : null }, changed ? element("strong", {}, cell(value)) : cell(value))];
    if (changed) cells.push(element("td", { class: "was" }, `was ${cell(other[name])}`));
    if (shares && name in shares) {
      cells.push(element("td", { class: "was" }, shares[name] === null || Math.abs(shares[name]) < 0.05 ? "" : `${shares[name] > 0 ? "+" : ""}${shares[name].toFixed(1)} nats`));
      if (shares[name] !== null) cells[0].style.backgroundColor = heat(shares[name]);
    }
    body.append(element("tr", {}, element("th", { scope: "row" }, name), ...cells));
  }
  return element("table", {}, body);
}

function transpose(table) {
  return table[0].map((_, column) => table.map((line) => line[column]));
}

function lines(series, size, shares) {
  const width = 2.4 * size, height = size, ratio = window.devicePixelRatio || 1;
  const made = element("canvas", { width: width * ratio, height: height * ratio, role: "img", "aria-label": "curve" });
  made.style.width = `${width}px`;
  made.style.height = `${height}px`;
  const context = made.getContext("2d");
  context.scale(ratio, ratio);
  const all = series.flat().filter((value) => value !== null);
  const low = Math.min(...all), high = Math.max(...all, low + 1e-9);
  (shares || []).forEach((part, step, all) => {
    const nats = Array.isArray(part) ? part.reduce((sum, value) => sum + (value ?? 0), 0) : part ?? 0;
    context.fillStyle = heat(nats);
    context.fillRect(2 + (width - 4) * (step - 0.5) / Math.max(1, all.length - 1), 0, (width - 4) / Math.max(1, all.length - 1), height);
  });
  series.forEach((values, index) => {
    context.strokeStyle = PALETTE[index % PALETTE.length];
    context.beginPath();
    let pen = false;
    values.forEach((value, step) => {
      if (value === null) { pen = false; return; }
      const x = 2 + (width - 4) * step / Math.max(1, values.length - 1);
      const y = height - 3 - (height - 6) * (value - low) / (high - low);
      if (pen) context.lineTo(x, y); else context.moveTo(x, y);
      pen = true;
    });
    context.lineWidth = 1.5;
    context.stroke();
  });
  return made;
}
