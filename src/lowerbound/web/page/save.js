// Examples as files: a picture, a table, a text, a tune; and all of them as JSON.
import { element } from "./draw.js";
import { midiOf } from "./sound.js";

const quoted = (value) => {
  const words = value === null || value === undefined ? "" : String(value);
  return /[",\n\r]/.test(words) ? `"${words.replaceAll('"', '""')}"` : words;
};
const csv = (head, rows) => [head, ...rows].map((row) => row.map(quoted).join(",")).join("\n") + "\n";

function tableOf(examples, { kind, columns }) {
  if (kind === "row") {
    const names = columns ?? Object.keys(examples[0]);
    return csv(names, examples.map((one) => names.map((name) => one[name])));
  }
  if (kind === "vector") return csv(examples[0].map((_, place) => `x${place}`), examples);
  return csv(["example", "step", ...examples[0][0].map((_, channel) => `channel ${channel}`)], examples.flatMap((one, number) => one.map((step, place) => [number, place, ...step])));
}

function sheetOf(canvases) {
  const { width, height } = canvases[0], across = Math.ceil(Math.sqrt(canvases.length)), gap = 2;
  const sheet = element("canvas", { width: across * (width + gap), height: Math.ceil(canvases.length / across) * (height + gap) });
  canvases.forEach((one, place) => sheet.getContext("2d").drawImage(one, (place % across) * (width + gap), Math.floor(place / across) * (height + gap)));
  return new Promise((done) => { sheet.toBlob(done, "image/png"); });
}

export const usual = { image: "picture", row: "CSV", vector: "CSV", series: "CSV", text: "text", tune: "MIDI" };

export async function save(examples, about, cards, form) {
  const [ending, made] = {
    JSON: () => ["json", JSON.stringify(examples)],
    picture: () => ["png", sheetOf([...cards.querySelectorAll("canvas")])],
    CSV: () => ["csv", tableOf(examples, about)],
    text: () => ["txt", examples.map((one) => `${one}\n`).join("")],
    MIDI: () => ["mid", midiOf(examples)],
  }[form]();
  const file = new Blob([await made]), link = element("a", { href: URL.createObjectURL(file), download: `examples.${ending}` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
