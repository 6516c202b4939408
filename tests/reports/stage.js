"use strict";
// Runs the script of the hierarchy page without a browser: a canvas that counts how often it is drawn, a pointer to move,
// frames that come when they are called for. Takes {code, data, events} as JSON and prints what is seen after each event.
const { code, data, events } = JSON.parse(require("fs").readFileSync(0, "utf8"));
let drawn = 0, strokes = [], frames = new Map(), frame = 0;

const pen = () => new Proxy({}, { get: (at, name) => at[name] ?? (() => {}), set: (at, name, to) => { at[name] = to; return true; } });
const paper = {
  setTransform() {}, fillText() {}, fill() {}, arc() {}, lineTo() {},
  clearRect() { drawn++; strokes = []; },
  beginPath() { strokes.push([]); },
  moveTo(x, y) { strokes.at(-1).push([x, y]); },
  stroke() {},
};
function element(name, values = {}) {
  const hearers = {};
  return {
    style: {}, classList: { add() {} }, textContent: "", append() {}, setAttribute() {}, setPointerCapture() {}, ...values,
    addEventListener(kind, hear) { hearers[kind] = hear; },
    hear(kind, event) { hearers[kind]?.({ pointerId: 1, preventDefault() {}, ...event }); },
    getContext: () => (name === "stage canvas" ? paper : pen()),
  };
}
const canvas = element("stage canvas", { clientWidth: 512, getBoundingClientRect: () => ({ left: 0, top: 0 }) });
const elements = {
  "stage": element("stage", { querySelector: () => canvas }),
  "tree-data": element("tree-data", { textContent: data }),
  "stage-length": element("length", { value: "kept" }),
  "stage-stretch": element("stretch", { value: 0 }),
  "stage-tree": element("tree", { checked: true }),
  "stage-sound": null,
};
globalThis.Path2D = class { constructor() { return pen(); } };
globalThis.document = {
  getElementById: (id) => (id in elements ? elements[id] : (elements[id] = element(id))),
  createElement: (name) => element(name),
  querySelectorAll: () => [],
};
globalThis.window = element("window", { devicePixelRatio: 1 });
globalThis.getComputedStyle = () => ({ getPropertyValue: () => "black" });
globalThis.matchMedia = () => element("media");
globalThis.requestAnimationFrame = (run) => { frames.set(++frame, run); return frame; };
globalThis.cancelAnimationFrame = (id) => frames.delete(id);

new Function(code)();
const seen = () => ({ drawn, told: elements.told.textContent, origin: strokes.at(-1)?.[0] ?? null });
const found = [seen()];
for (const { kind, x, y, name, value } of events) {
  if (kind === "frame") {
    const due = [...frames.values()];
    frames.clear();
    due.forEach((run) => run());
  } else if (kind === "input") {
    elements[name].value = value;
    elements[name].hear("input");
  } else canvas.hear(kind, { clientX: x, clientY: y });
  found.push(seen());
}
console.log(JSON.stringify(found));
