// Signing on the screen: finger, pen or mouse. What is sent is strokes (points in a box), never a picture from elsewhere.
"use strict";

(function () {
  const NEAR = 2; // points closer than this say nothing more
  const MOST = 4800; // the server takes 5000

  // A place to sign: a form of its own, or one of several places in a form.
  function prepare(place) {
    const form = place.closest("form");
    const pad = place.querySelector("canvas");
    const field = place.querySelector("[data-drawing], [name='drawing']");
    const state = place.querySelector("[data-state]");
    const words = state ? state.textContent : "";
    const pen = pad.getContext("2d");
    let strokes = [];
    let points = 0;
    let size = { width: 0, height: 0 };

    function fit() {
      const box = pad.getBoundingClientRect();
      const next = { width: Math.round(box.width), height: Math.round(box.height) };
      if (!next.width || (next.width === size.width && next.height === size.height)) return;
      if (size.width) strokes = strokes.map(function (stroke) { return stroke.map(function (p) { return [Math.round(p[0] * next.width / size.width), Math.round(p[1] * next.height / size.height)]; }); });
      size = next;
      const fine = window.devicePixelRatio || 1;
      pad.width = Math.round(size.width * fine);
      pad.height = Math.round(size.height * fine);
      pen.setTransform(fine, 0, 0, fine, 0, 0);
      draw();
      keep();
    }

    function draw() {
      pen.clearRect(0, 0, size.width, size.height);
      pen.lineWidth = 2.5;
      pen.lineCap = pen.lineJoin = "round";
      pen.strokeStyle = "#111";
      strokes.forEach(function (stroke) {
        pen.beginPath();
        pen.moveTo(stroke[0][0], stroke[0][1]);
        stroke.forEach(function (p) { pen.lineTo(p[0], p[1]); });
        if (stroke.length === 1) pen.lineTo(stroke[0][0] + 0.1, stroke[0][1]);
        pen.stroke();
      });
    }

    function keep() {
      const before = field.value;
      field.value = points > 4 ? JSON.stringify({ width: size.width, height: size.height, strokes: strokes }) : "";
      if (state) state.textContent = field.value ? "✓" : words;
      ready();
      if (field.value !== before) field.dispatchEvent(new Event("change", { bubbles: true }));
    }

    function spot(event) {
      const box = pad.getBoundingClientRect();
      return [Math.max(0, Math.min(size.width, Math.round(event.clientX - box.left))), Math.max(0, Math.min(size.height, Math.round(event.clientY - box.top)))];
    }

    let stroke = null;
    pad.addEventListener("pointerdown", function (event) {
      if (event.button) return;
      event.preventDefault();
      fit();
      pad.setPointerCapture(event.pointerId);
      stroke = [spot(event)];
      strokes.push(stroke);
      points += 1;
      draw();
    });
    pad.addEventListener("pointermove", function (event) {
      if (!stroke || points > MOST) return;
      const steps = event.getCoalescedEvents && event.getCoalescedEvents().length ? event.getCoalescedEvents() : [event];
      steps.forEach(function (one) {
        const next = spot(one);
        const last = stroke[stroke.length - 1];
        if (Math.abs(next[0] - last[0]) + Math.abs(next[1] - last[1]) < NEAR) return;
        stroke.push(next);
        points += 1;
      });
      draw();
    });
    ["pointerup", "pointercancel"].forEach(function (name) {
      pad.addEventListener(name, function () { if (stroke) { stroke = null; keep(); } });
    });
    place.querySelector("[data-clear]").addEventListener("click", function () { strokes = []; points = 0; draw(); keep(); });
    window.addEventListener("resize", fit);

    // The kind says whether a pad is there; the side, whether a proxy is named.
    const kind = form.querySelector("[data-kind]");
    const side = form.querySelector("[data-side]");
    const button = form.querySelector("button[data-busy]");
    const fields = Array.from(form.querySelectorAll("[data-drawing], [name='drawing']"));
    function ready() { button.disabled = kind.value === "drawn" && fields.some(function (one) { return !one.value; }); }
    function show() {
      (place.matches("[data-pad]") ? place : place.querySelector("[data-pad]")).hidden = kind.value !== "drawn";
      const self = side ? side.dataset.self : "";
      form.querySelectorAll("[data-proxy]").forEach(function (one) {
        one.hidden = !side || (self ? side.value === self : side.value !== "proxy");
        one.querySelector("input").required = !one.hidden;
      });
      fit();
      ready();
    }
    kind.addEventListener("change", show);
    if (side) side.addEventListener("change", show);
    if (field.value) { // drawn before, and kept
      const kept = JSON.parse(field.value);
      size = { width: kept.width, height: kept.height };
      strokes = kept.strokes;
      points = strokes.reduce(function (sum, one) { return sum + one.length; }, 0);
    }
    show();
  }

  document.querySelectorAll("[data-sign]").forEach(prepare);
  window.prepareSigning = prepare; // for pads that come later
})();
