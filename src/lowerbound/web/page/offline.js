// The answers of a page without a server: examples from the file, decoding by its own products.

const inside = document.getElementById("inside") ? JSON.parse(document.getElementById("inside").textContent) : null;

function halves(words) {
  const bytes = Uint8Array.from(atob(words), (one) => one.charCodeAt(0)), view = new DataView(bytes.buffer);
  return Float32Array.from({ length: bytes.length / 2 }, (_, place) => {
    const bits = view.getUint16(2 * place, true), sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 31, fraction = bits & 1023;
    return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -24 * fraction);
  });
}

function network(told) {
  const layers = told.layers.map((one) => ({ weight: halves(one.weight), bias: halves(one.bias), outputs: one.outputs }));
  const active = told.activation === "relu" ? (h) => Math.max(0, h) : (h) => h / (1 + Math.exp(-h));
  return (z) => layers.reduce((seen, { weight, bias, outputs }, depth) => {
    const width = seen.length, next = new Float32Array(outputs);
    for (let row = 0; row < outputs; row++) {
      let sum = bias[row];
      for (let column = 0, at = row * width; column < width; column++, at++) sum += weight[at] * seen[column];
      next[row] = depth < layers.length - 1 ? active(sum) : sum;
    }
    return next;
  }, Float32Array.from(z));
}

// the mean of each cell: of levels the sum over k of P(x >= k)
function mean(told, output, cell, cells) {
  if (told.law === "bernoulli") return 1 / (1 + Math.exp(-output[cell]));
  const location = output[cell], rate = Math.exp(-Math.min(5, Math.max(-9, output[cells + cell])));
  let sum = 0;
  for (let k = 1; k < told.levels; k++) {
    const h = (location - 2 * (k - 0.5) / (told.levels - 1) + 1) * rate;
    sum += h > 20 ? 1 : h < -20 ? 0 : 1 / (1 + Math.exp(-h));
  }
  return sum;
}

function decoding() {
  const { decoder, grid, map, about } = inside;
  if (decoder) {
    const forward = network(decoder), [channels, high, wide] = about.shape, cells = channels * high * wide;
    return (z) => {
      const output = forward(z);
      return Array.from({ length: channels }, (_, c) => Array.from({ length: high }, (_, y) => Array.from({ length: wide }, (_, x) => mean(decoder, output, (c * high + y) * wide + x, cells))));
    };
  }
  return (z) => {
    const place = map.axes.map((axis, which) => {
      const at = axis.reduce((sum, value, unit) => sum + value * (z[unit] - map.centre[unit]), 0);
      const share = (at - grid.low[which]) / (grid.high[which] - grid.low[which] || 1);
      return Math.min(grid.side - 1, Math.max(0, Math.round(share * (grid.side - 1))));
    });
    return grid.examples[place[0] + (place[1] ?? 0) * grid.side];
  };
}

if (inside) {
  const decoded = decoding();
  const away = (a, b) => Math.hypot(...a.map((value, unit) => value - b[unit]));
  const uses = {
    about: () => ({ ...inside.about, offline: inside.decoder ? "decoder" : "grid" }),
    map: () => inside.map,
    odd: () => inside.odd,
    shares: () => inside.shares,
    example: ({ index }) => inside.examples[Math.min(index, inside.examples.length - 1)],
    decode: ({ latents }) => ({ examples: latents.map(decoded) }),
    generate: ({ count }) => ({ examples: inside.made.slice(0, count) }),
    nearest: ({ latents }) => {
      const found = inside.examples.map((one, index) => [away(one.latents, latents), index]).sort((a, b) => a[0] - b[0]).slice(0, 8);
      return { indices: found.map((one) => one[1]), distances: found.map((one) => one[0]) };
    },
    apart: ({ first, second }) => {
      const centre = (group) => inside.map.centre.map((_, unit) => group.reduce((sum, index) => sum + inside.examples[index].latents[unit], 0) / group.length);
      const a = centre(first), b = centre(second), vector = b.map((value, unit) => value - a[unit]);
      const spread = vector.map((_, unit) => Math.sqrt([[first, a], [second, b]].reduce((sum, [group, mid]) => sum + group.reduce((part, index) => part + (inside.examples[index].latents[unit] - mid[unit]) ** 2, 0), 0) / (first.length + second.length) + 1e-12));
      const effects = vector.map((value, unit) => value / spread[unit]);
      const units = effects.map((_, unit) => unit).sort((x, y) => Math.abs(effects[y]) - Math.abs(effects[x]));
      return { units, effects: units.map((unit) => effects[unit]), vector };
    },
  };
  globalThis.answers = async (name, body) => uses[name](body);
}
