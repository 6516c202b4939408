"use strict";
// The Poincaré disk as the hierarchy page draws it: its geometry, and the marks of its points. Nothing here has a state.
const Disk = (() => {
  // w = (z + a) / (1 + conj(a) z), the motion of the disk that takes its middle to a.
  function moved([x, y], [ax, ay]) {
    const nx = x + ax, ny = y + ay, dx = 1 + ax * x + ay * y, dy = ax * y - ay * x, d = dx * dx + dy * dy;
    return [(nx * dx + ny * dy) / d, (ny * dx - nx * dy) / d];
  }

  // The a of the motion that takes z to w; null where no such motion is within reach of the numbers.
  function motion([x, y], [u, v]) {
    const d = 1 - (x * x + y * y) * (u * u + v * v);
    const fx = u - x, fy = v - y, zw = [x * u - y * v, x * v + y * u];
    const ax = (fx + zw[0] * fx + zw[1] * fy) / d, ay = (fy + zw[1] * fx - zw[0] * fy) / d;
    const far = Math.hypot(ax, ay);
    if (!(far < 1)) return null;
    const kept = far > 0.9999 ? 0.9999 / far : 1;
    return [ax * kept, ay * kept];
  }

  // Points along the geodesic between two points: a straight line once the first is in the middle.
  function geodesic(start, end) {
    const [x, y] = moved(end, [-start[0], -start[1]]);
    const far = Math.atanh(Math.min(Math.hypot(x, y), 1 - 1e-15)), norm = Math.hypot(x, y) || 1;
    return Array.from({ length: 13 }, (_, step) => {
      const along = Math.tanh(far * step / 12) / norm;
      return step ? moved([x * along, y * along], start) : start;
    });
  }

  // Round distances from the middle, three or more of them, as many as fit.
  function rings(stretch) {
    const most = 2 * Math.atanh(0.95) / stretch, power = 10 ** Math.floor(Math.log10(most / 3));
    const step = power * [5, 2, 1].find((factor) => most / (power * factor) >= 3);
    return Array.from({ length: Math.floor(most / step + 1e-9) }, (_, i) => Number((step * (i + 1)).toPrecision(6)));
  }

  const marks = {
    "o": (p, x, y, r) => { p.moveTo(x + r, y); p.arc(x, y, r, 0, 7); },
    "s": (p, x, y, r) => p.rect(x - 0.88 * r, y - 0.88 * r, 1.76 * r, 1.76 * r),
    "^": (p, x, y, r) => polygon(p, x, y, [0, -1.2, 1.1, 0.8, -1.1, 0.8], r),
    "v": (p, x, y, r) => polygon(p, x, y, [0, 1.2, 1.1, -0.8, -1.1, -0.8], r),
    "D": (p, x, y, r) => polygon(p, x, y, [0, -1.25, 1.25, 0, 0, 1.25, -1.25, 0], r),
    "P": (p, x, y, r) => { p.rect(x - 1.2 * r, y - 0.42 * r, 2.4 * r, 0.84 * r); p.rect(x - 0.42 * r, y - 1.2 * r, 0.84 * r, 2.4 * r); },
    "X": (p, x, y, r) => polygon(p, x, y, [-1.1, -0.5, -0.5, -1.1, 0, -0.5, 0.5, -1.1, 1.1, -0.5, 0.5, 0, 1.1, 0.5, 0.5, 1.1, 0, 0.5, -0.5, 1.1, -1.1, 0.5, -0.5, 0], r),
    "*": (p, x, y, r) => polygon(p, x, y, [0, -1.4, 0.35, -0.45, 1.33, -0.43, 0.56, 0.18, 0.82, 1.13, 0, 0.58, -0.82, 1.13, -0.56, 0.18, -1.33, -0.43, -0.35, -0.45], r),
    ".": (p, x, y, r) => { p.moveTo(x + 0.6 * r, y); p.arc(x, y, 0.6 * r, 0, 7); },
    "+": (p, x, y, r) => { p.rect(x - r, y - 0.2 * r, 2 * r, 0.4 * r); p.rect(x - 0.2 * r, y - r, 0.4 * r, 2 * r); },
  };
  function polygon(p, x, y, corners, r) {
    p.moveTo(x + r * corners[0], y + r * corners[1]);
    for (let i = 2; i < corners.length; i += 2) p.lineTo(x + r * corners[i], y + r * corners[i + 1]);
    p.closePath();
  }

  return { moved, motion, geodesic, rings, marks };
})();
