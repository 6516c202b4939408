(() => {
  const stage = document.getElementById("stage");
  const canvas = stage.querySelector("canvas");
  const told = document.getElementById("told");
  const legend = document.getElementById("stage-legend");
  const context = canvas.getContext("2d");
  const data = JSON.parse(document.getElementById("tree-data").textContent);
  const count = data.utterances.length;
  const control = (name) => document.getElementById("stage-" + name);

  // Where the reader looks: the stretch of distances, and where the middle of all has been moved to.
  let level = data.level, stretch = data.stretch, middle = [0, 0], chosen = -1, hovered = null;
  let items = null, middles = null;
  const { marks } = Disk;
  const moved = (at) => Disk.moved(at, middle);

  // Tangent coordinates to the disk: along (x, y), to the true length or to what is left of it in the plane.
  function placed(x, y, length) {
    const norm = Math.hypot(x, y);
    const far = control("length").value === "kept" ? length : norm;
    const scale = norm > 0 ? Math.tanh(stretch * far / 2) / norm : 0;
    return [x * scale, y * scale];
  }

  function place() {
    items = new Float64Array(2 * count);
    for (let i = 0; i < count; i++) {
      const [x, y] = moved(placed(data.x[i], data.y[i], data.length[i]));
      items[2 * i] = x;
      items[2 * i + 1] = y;
    }
    middles = data.middles.map((of) => of.x.map((x, k) => moved(placed(x, of.y[k], of.length[k]))));
  }

  const colours = {};
  function readColours() {
    const style = getComputedStyle(stage);
    for (const name of ["ink", "soft", "grid", "paper", "series-other", 1, 2, 3, 4, 5, 6, 7].map(String)) {
      colours[name] = style.getPropertyValue(/^\d$/.test(name) ? "--series-" + name : "--" + name).trim();
    }
  }

  // A drag takes the point under the hand along: the old place is moved to the new one.
  function drag(from, to) {
    const found = Disk.motion(Disk.moved(from, [-middle[0], -middle[1]]), to);
    if (!found) return;
    middle = found;
    place();
    draw();
  }

  let size = 0, radius = 0;
  const shown = ([x, y]) => [size / 2 + radius * x, size / 2 - radius * y];
  const inside = (event) => {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left - size / 2) / radius, (size / 2 - event.clientY + box.top) / radius];
  };

  function geodesic(path, start, end) {
    const [first, ...rest] = Disk.geodesic(start, end).map(shown);
    path.moveTo(...first);
    for (const at of rest) path.lineTo(...at);
  }

  const above = (depth, k) => {
    const [at, of] = data.middles[depth].parents[k];
    return at < 0 ? middle : middles[at][of];
  };

  function drawTree() {
    context.strokeStyle = colours.ink;
    data.middles.forEach((of, depth) => {
      if (depth > data.deepest) return;
      context.globalAlpha = 0.5;
      context.lineWidth = Math.max(1.7 - 0.45 * depth, 0.6);
      const path = new Path2D();
      of.x.forEach((_, k) => geodesic(path, above(depth, k), middles[depth][k]));
      context.stroke(path);
      context.globalAlpha = 1;
      const dots = new Path2D(), r = Math.max(4.2 - depth, 1.6);
      middles[depth].forEach((at) => marks.o(dots, ...shown(at), r));
      context.fillStyle = colours.paper;
      context.lineWidth = 1;
      context.fill(dots);
      context.stroke(dots);
    });
  }

  function drawRings() {
    const path = new Path2D(), whole = 2 * Math.PI, rings = Disk.rings(stretch);
    for (const distance of rings) {
      const r = Math.tanh(stretch * distance / 2);
      for (let i = 0; i <= 96; i++) {
        const at = shown(moved([r * Math.cos(whole * i / 96), r * Math.sin(whole * i / 96)]));
        if (i) path.lineTo(...at); else path.moveTo(...at);
      }
    }
    context.strokeStyle = colours.grid;
    context.lineWidth = 1;
    context.stroke(path);
    context.fillStyle = colours.soft;
    context.font = "11px system-ui, sans-serif";
    context.textAlign = "center";
    for (const distance of rings) {
      const [x, y] = shown(moved([0, Math.tanh(stretch * distance / 2)]));
      context.fillText(String(distance), x, y + 12);
    }
    context.strokeStyle = colours.ink;
    context.beginPath();
    context.arc(size / 2, size / 2, radius, 0, 7);
    context.stroke();
  }

  function drawItems() {
    const looks = data.looks[level], r = count > 8000 ? 1.7 : count > 1500 ? 2.4 : 3.2;
    const paths = looks.entries.map(() => new Path2D());
    for (let i = 0; i < count; i++) {
      const x = size / 2 + radius * items[2 * i], y = size / 2 - radius * items[2 * i + 1];
      marks[looks.entries[looks.of[i]].marker](paths[looks.of[i]], x, y, r);
    }
    for (let k = paths.length - 1; k >= 0; k--) {
      context.globalAlpha = chosen < 0 ? 0.85 : chosen === k ? 1 : 0.08;
      context.fillStyle = colours[looks.entries[k].colour];
      context.fill(paths[k]);
    }
    context.globalAlpha = 1;
    if (!control("sound")?.checked) return;
    const rims = new Path2D();
    for (const i of Object.keys(data.clips)) {
      const at = shown([items[2 * i], items[2 * i + 1]]);
      rims.moveTo(at[0] + r + 2.2, at[1]);
      rims.arc(...at, r + 2.2, 0, 7);
    }
    context.strokeStyle = colours.ink;
    context.lineWidth = 1;
    context.stroke(rims);
  }

  function drawOrigin() {
    if (!data.origin) return;
    const [x, y] = shown(moved(placed(...data.origin)));
    context.strokeStyle = colours.ink;
    context.lineWidth = 2;
    context.beginPath();
    context.moveTo(x - 5, y - 5); context.lineTo(x + 5, y + 5);
    context.moveTo(x - 5, y + 5); context.lineTo(x + 5, y - 5);
    context.stroke();
  }

  // The way of what is under the pointer up to the root.
  function drawWay() {
    if (!hovered) return;
    const path = new Path2D();
    let at = hovered.at, [depth, k] = hovered.parent;
    while (depth >= 0) {
      geodesic(path, middles[depth][k], at);
      at = middles[depth][k];
      [depth, k] = data.middles[depth].parents[k];
    }
    geodesic(path, middle, at);
    context.strokeStyle = colours["2"];
    context.lineWidth = 2.4;
    context.stroke(path);
    const dot = new Path2D();
    marks.o(dot, ...shown(hovered.at), 5);
    context.fillStyle = colours["2"];
    context.fill(dot);
  }

  function draw() {
    const ratio = window.devicePixelRatio || 1;
    size = canvas.clientWidth;
    radius = size / 2 - 6;
    if (canvas.width !== Math.round(size * ratio)) canvas.width = canvas.height = Math.round(size * ratio);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, size, size);
    drawRings();
    drawItems();
    if (control("tree").checked) drawTree();
    drawOrigin();
    drawWay();
  }

  function nearest(at) {
    let best = null, least = 9 / radius;
    const look = (x, y, made) => {
      const far = Math.hypot(x - at[0], y - at[1]);
      if (far < least) { least = far; best = made; }
    };
    for (let i = 0; i < count; i++) look(items[2 * i], items[2 * i + 1], { item: i });
    if (control("tree").checked) {
      middles.forEach((of, depth) => {
        if (depth <= data.deepest) of.forEach(([x, y], k) => look(x, y, { depth, k }));
      });
    }
    return best;
  }

  function leafOf(i) {
    for (let depth = data.middles.length - 1; depth >= 0; depth--) {
      const k = data.at[depth][i];
      if (k >= 0) return [depth, k];
    }
    return [-1, -1];
  }

  function tell(found) {
    if (!found) {
      hovered = null;
      told.textContent = data.help;
    } else if ("item" in found) {
      const i = found.item, path = data.levels.map((name, depth) => `${name} ${data.names[depth][data.nodes[depth][i]]}`);
      hovered = { item: i, at: [items[2 * i], items[2 * i + 1]], parent: leafOf(i) };
      const far = `${data.length[i].toFixed(2)} from the middle`;
      told.textContent = `${data.utterances[i]}: ${path.join(", ")}; ${far}${i in data.clips ? "; click to hear it" : ""}`;
    } else {
      const of = data.middles[found.depth];
      hovered = { at: middles[found.depth][found.k], parent: of.parents[found.k] };
      told.textContent = `middle of ${data.levels[found.depth]} ${data.paths[found.depth][found.k]}: `
        + `${of.sizes[found.k]} recordings, ${of.length[found.k].toFixed(2)} from the middle of all`;
    }
    canvas.style.cursor = found ? "pointer" : "grab";
    draw();
  }

  function writeLegend() {
    legend.textContent = "";
    data.looks[level].entries.forEach((entry, k) => {
      const button = document.createElement("button"), icon = document.createElement("canvas");
      button.type = "button";
      icon.width = icon.height = 36;
      const pen = icon.getContext("2d"), path = new Path2D();
      pen.scale(2, 2);
      marks[entry.marker](path, 9, 9, 5);
      pen.fillStyle = colours[entry.colour];
      pen.fill(path);
      button.append(icon, `${entry.name} (${entry.items.toLocaleString("en")})`);
      button.setAttribute("aria-pressed", String(chosen === k));
      button.addEventListener("click", () => { chosen = chosen === k ? -1 : k; writeLegend(); draw(); });
      legend.append(button);
    });
  }

  function change() {
    stretch = data.stretch * 2 ** Number(control("stretch").value);
    place();
    hovered = null;
    draw();
  }

  function play(i) {
    const sound = document.getElementById("clip-" + i);
    if (!sound) return;
    document.querySelectorAll("audio").forEach((other) => other.pause());
    sound.currentTime = 0;
    sound.play();
  }

  // A mouse reports more moves than a screen shows: what they change is drawn once a frame.
  let held = null, last = null, went = 0, frame = 0;
  function follow() {
    frame = 0;
    if (!held) return tell(nearest(last));
    if (Math.hypot(...last) < 0.995 && Math.hypot(...held) < 0.995) { hovered = null; drag(held, last); }
    held = last;
  }
  function settle() {
    if (!frame) return;
    cancelAnimationFrame(frame);
    follow();
  }

  canvas.addEventListener("pointerdown", (event) => {
    settle();
    held = last = inside(event);
    went = 0;
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    const at = inside(event);
    if (held) went += Math.hypot(at[0] - last[0], at[1] - last[1]);
    last = at;
    frame ||= requestAnimationFrame(follow);
  });
  canvas.addEventListener("pointerup", (event) => {
    settle();
    const found = nearest(inside(event));
    if (went < 0.01 && found && "item" in found) play(found.item);
    held = null;
  });
  canvas.addEventListener("pointercancel", () => { held = null; settle(); tell(null); });
  canvas.addEventListener("pointerleave", () => { settle(); tell(null); });
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const slider = control("stretch");
    slider.value = Number(slider.value) - Math.sign(event.deltaY) * 0.1;
    change();
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] }[event.key];
    if (!way) return;
    event.preventDefault();
    drag([0, 0], way);
  });
  control("level").addEventListener("change", (event) => {
    level = Number(event.target.value);
    chosen = -1;
    writeLegend();
    draw();
  });
  for (const name of ["length", "stretch"]) control(name).addEventListener("input", change);
  for (const name of ["tree", "sound"]) control(name)?.addEventListener("change", draw);
  control("reset").addEventListener("click", () => { middle = [0, 0]; chosen = -1; control("stretch").value = 0; writeLegend(); change(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readColours(); writeLegend(); draw(); });
  window.addEventListener("resize", draw);

  document.getElementById("disk").classList.add("live");
  stage.hidden = false;
  told.textContent = data.help;
  readColours();
  writeLegend();
  place();
  draw();
})();
