// A map of points on a canvas: drawn by pixels, moved through by hand and by keyboard.
import { PALETTE } from "./draw.js";
import { remember, state } from "./page.js";

const tints = new Map();

// a colour of CSS as a pixel
function pixelOf(colour) {
  if (!tints.has(colour)) {
    const spot = document.createElement("canvas").getContext("2d");
    spot.fillStyle = colour; spot.fillRect(0, 0, 1, 1);
    tints.set(colour, new Uint32Array(spot.getImageData(0, 0, 1, 1).data.buffer)[0]);
  }
  return tints.get(colour);
}

// `own` is put before the names of the state: "" or "b", for the second of two maps
export class Scatter {
  constructor(canvas, own, { moved, chose, hovered = () => {}, over = () => {}, hand = () => "move", lassoed = () => {} }) {
    Object.assign(this, { canvas, own, moved, chose, hovered, over, hand, lassoed, scale: 1, waiting: false });
    this.listen();
  }

  get(key) { return state[this.own + key]; }
  set(key, value) { state[this.own + key] = value; }

  fill(points) {
    this.xs = Float64Array.from(points, (point) => point[0]);
    this.ys = Float64Array.from(points, (point) => point[1] ?? 0);
    this.pixels = new Uint32Array(points.length).fill(pixelOf(PALETTE[0]));
    const ends = (values) => values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
    this.ends = [ends(this.xs), ends(this.ys)];
  }

  colour(colours) { this.pixels = Uint32Array.from(colours, pixelOf); this.paint(); }

  whole() {
    const [[a, b], [c, d]] = this.ends;
    this.set("left", (a + b) / 2); this.set("top", (c + d) / 2); this.set("zoom", 1);
  }

  onScreen(x, y) {
    return [this.canvas.clientWidth / 2 + (x - this.get("left")) * this.scale, this.canvas.clientHeight / 2 - (y - this.get("top")) * this.scale];
  }

  onPlane(px, py) {
    return [this.get("left") + (px - this.canvas.clientWidth / 2) / this.scale, this.get("top") - (py - this.canvas.clientHeight / 2) / this.scale];
  }

  nearest(x, y) {
    let best = 0, least = Infinity;
    for (let i = 0; i < this.xs.length; i++) {
      const away = (this.xs[i] - x) ** 2 + (this.ys[i] - y) ** 2;
      if (away < least) { least = away; best = i; }
    }
    return best;
  }

  // once a frame, however often it is asked for
  paint() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => { this.waiting = false; this.paintNow(); });
  }

  paintNow() {
    const { canvas, xs, ys, pixels } = this, ratio = window.devicePixelRatio || 1;
    const wide = Math.round(canvas.clientWidth * ratio), high = Math.round(canvas.clientHeight * ratio);
    if (!wide || !high || !xs) return;
    const context = canvas.getContext("2d");
    if (canvas.width !== wide || canvas.height !== high || !this.image) {
      canvas.width = wide; canvas.height = high;
      this.image = context.createImageData(wide, high);
      this.target = new Uint32Array(this.image.data.buffer);
    }
    const [[a, b], [c, d]] = this.ends, { target } = this;
    this.scale = this.get("zoom") * 0.92 * Math.min(canvas.clientWidth / (b - a || 1), canvas.clientHeight / (d - c || 1));
    const s = this.scale * ratio, side = Math.max(1, Math.round((xs.length > 5000 ? 2 : 4) * ratio));
    const right = wide / 2 - this.get("left") * s - side / 2, down = high / 2 + this.get("top") * s - side / 2;
    target.fill(0);
    for (let i = 0; i < xs.length; i++) {
      const px = Math.round(right + xs[i] * s), py = Math.round(down - ys[i] * s);
      if (px < 0 || py < 0 || px + side > wide || py + side > high) continue;
      for (let y = 0, at = py * wide + px; y < side; y++, at += wide) target.fill(pixels[i], at, at + side);
    }
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.putImageData(this.image, 0, 0);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.strokeStyle = getComputedStyle(document.body).color; context.lineWidth = 2;
    const own = state.chosen, [px, py] = this.onScreen(this.get("x"), this.get("y"));
    context.beginPath(); context.arc(...this.onScreen(xs[own], ys[own]), 7, 0, 7); context.stroke();
    context.beginPath(); context.moveTo(px - 9, py); context.lineTo(px + 9, py);
    context.moveTo(px, py - 9); context.lineTo(px, py + 9); context.stroke();
    this.over(context, this.onScreen.bind(this));
  }

  moveTo(x, y) { this.set("x", x); this.set("y", y); this.paint(); this.moved(); remember(); }

  shift(px, py) {
    this.set("left", this.get("left") + px / this.scale); this.set("top", this.get("top") - py / this.scale);
    this.paint(); remember();
  }

  zoomAt(px, py, factor) {
    const old = this.get("zoom"), zoom = Math.min(500, Math.max(0.2, old * factor)), [x, y] = this.onPlane(px, py), by = zoom / old;
    this.set("zoom", zoom);
    this.set("left", x - (x - this.get("left")) / by); this.set("top", y - (y - this.get("top")) / by);
    this.paint(); remember();
  }

  listen() {
    const { canvas } = this;
    let start = null;
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.hovered(null);
      const hand = event.shiftKey ? "pan" : this.hand();
      const path = ["pan", "move"].includes(hand) ? [] : [this.onPlane(event.offsetX, event.offsetY)];
      start = { px: event.offsetX, py: event.offsetY, x: event.offsetX, y: event.offsetY, hand, path, far: false };
      if (hand === "move") this.moveTo(...this.onPlane(event.offsetX, event.offsetY));
    });
    canvas.addEventListener("pointermove", (event) => {
      const { offsetX: x, offsetY: y } = event;
      if (!start) {
        const near = this.nearest(...this.onPlane(x, y)), [px, py] = this.onScreen(this.xs[near], this.ys[near]);
        this.hovered(Math.hypot(px - x, py - y) < 8 ? near : null, px, py);
        return;
      }
      start.far ||= Math.hypot(x - start.px, y - start.py) > 4;
      if (start.hand === "pan") this.shift(start.x - x, start.y - y);
      else if (start.hand === "move") this.moveTo(...this.onPlane(x, y));
      else { start.path.push(this.onPlane(x, y)); this.lassoed(start.hand, start.path, false); this.paint(); }
      start.x = x; start.y = y;
    });
    canvas.addEventListener("pointerup", (event) => {
      if (start?.path.length > 2) { this.lassoed(start.hand, start.path, true); this.paint(); }
      else if (start && !start.far) this.chose(this.nearest(...this.onPlane(event.offsetX, event.offsetY)));
      start = null;
    });
    canvas.addEventListener("pointercancel", () => { start = null; });
    canvas.addEventListener("pointerleave", () => this.hovered(null));
    canvas.addEventListener("wheel", (event) => { event.preventDefault(); this.zoomAt(event.offsetX, event.offsetY, Math.exp(-event.deltaY / 400)); }, { passive: false });
    canvas.addEventListener("keydown", (event) => {
      const way = { ArrowLeft: [-12, 0], ArrowRight: [12, 0], ArrowUp: [0, -12], ArrowDown: [0, 12] }[event.key];
      if (way && event.shiftKey) this.shift(4 * way[0], 4 * way[1]);
      else if (way) this.moveTo(this.get("x") + way[0] / this.scale, this.get("y") - way[1] / this.scale);
      else if (event.key === "+" || event.key === "-") this.zoomAt(canvas.clientWidth / 2, canvas.clientHeight / 2, event.key === "+" ? 1.25 : 0.8);
      else if (event.key === "Enter") this.chose(this.nearest(this.get("x"), this.get("y")));
      else return;
      event.preventDefault();
    });
    new ResizeObserver(() => this.paint()).observe(canvas);
  }
}
