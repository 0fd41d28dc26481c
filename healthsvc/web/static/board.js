// The coordinator's board: places blocks on their strips, drags them (mouse, pen, finger), asks the server what a change would bring.
"use strict";

(function () {
  const step = 5; // minutes between two places where a block may be let go
  const near = 6; // pixels that a press may tremble without being a drag
  const grid = document.querySelector(".day-grid");
  const form = document.getElementById("move");
  const trial = document.getElementById("trial");
  const panel = document.getElementById("panel");
  document.body.classList.add("ready-scripts");

  function clock(minute) {
    return String(Math.floor(minute / 60)).padStart(2, "0") + ":" + String(minute % 60).padStart(2, "0");
  }

  // Every strip is as wide as the hours that are drawn.
  const first = grid ? Number(grid.dataset.first) * 60 : 0;
  const last = grid ? Number(grid.dataset.last) * 60 : 1440;
  function share(minute) { return (100 * (Math.min(Math.max(minute, first), last) - first)) / (last - first); }
  function lay(one) {
    one.style.left = share(Number(one.dataset.from)) + "%";
    if (one.dataset.to) one.style.width = share(Number(one.dataset.to)) - share(Number(one.dataset.from)) + "%";
  }
  if (grid) {
    grid.querySelectorAll(".strip").forEach(function (strip) {
      for (let hour = first + 60; hour < last; hour += 60) {
        const line = document.createElement("span");
        line.className = "line";
        line.dataset.from = hour;
        strip.insertBefore(line, strip.querySelector(".rest, .away, .block"));
      }
    });
    grid.querySelectorAll("[data-from]").forEach(lay);
    grid.classList.add("ready");
    setInterval(function () {  // the present moment goes on while the page stands open
      grid.querySelectorAll(".now-line").forEach(function (line) { line.dataset.from = Number(line.dataset.from) + 1; lay(line); });
    }, 60000);
  }

  // Parts of the page that the server writes.
  function fill(place, text) {
    const made = new DOMParser().parseFromString(text, "text/html");
    place.replaceChildren.apply(place, Array.from(made.body.childNodes).map(function (one) { return document.importNode(one, true); }));
  }
  function ask(path, body, place) {
    place.setAttribute("aria-busy", "true");
    place.classList.add("htmx-request");
    return fetch(path, { method: body ? "POST" : "GET", body: body, credentials: "same-origin", headers: { "hx-request": "true", accept: "text/html" } })
      .then(function (answer) {
        const elsewhere = answer.headers.get("hx-redirect");
        if (elsewhere) { location.href = elsewhere; return ""; }
        return answer.text();
      })
      .then(function (text) { if (text) fill(place, text); place.dispatchEvent(new CustomEvent("filled", { bubbles: true })); })
      .catch(function () { location.reload(); })
      .finally(function () { place.removeAttribute("aria-busy"); place.classList.remove("htmx-request"); });
  }
  // How well the day holds comes after the page: the board is there at once, the marks follow.
  function load(place, path) {
    place.setAttribute("aria-busy", "true");
    return fetch(path, { credentials: "same-origin", headers: { "hx-request": "true", accept: "text/html" } })
      .then(function (answer) { return answer.ok ? answer.text() : ""; })
      .then(function (text) { if (text) { fill(place, text); endanger(place); } })
      .catch(function () { /* the link to its own page stays */ })
      .finally(function () { place.removeAttribute("aria-busy"); });
  }
  function endanger(place) {
    document.querySelectorAll(".block.risky").forEach(function (one) { one.classList.remove("risky"); });
    document.querySelectorAll(".risk-said").forEach(function (one) { one.remove(); });
    place.querySelectorAll("[data-late]").forEach(function (one) {
      const task = CSS.escape(one.dataset.late);
      document.querySelectorAll('.block[data-task="' + task + '"]').forEach(function (block) {
        block.classList.add("risky");
        const said = document.createElement("span");
        said.className = "sr risk-said";
        said.textContent = one.dataset.said;
        block.append(said);
        block.title = block.title.split(" ! ")[0] + " ! " + one.dataset.said;
      });
      const row = document.querySelector("#visit-" + task + " .chips");
      if (!row) return;
      const chip = document.createElement("span");
      chip.className = "chip amber risk-said";
      chip.textContent = one.dataset.said;
      row.append(chip);
    });
  }
  document.querySelectorAll("[data-load]").forEach(function (place) { load(place, place.dataset.load); });

  function show(place) {
    place.focus({ preventScroll: true });
    const at = place.getBoundingClientRect();
    if (at.top < 56 || at.top > window.innerHeight * 0.75) place.scrollIntoView({ block: "nearest" });
    if (place.getBoundingClientRect().top < 56) window.scrollBy(0, place.getBoundingClientRect().top - 64);
  }
  function choose(task) {
    document.querySelectorAll(".block.chosen").forEach(function (one) { one.classList.remove("chosen"); });
    if (task) document.querySelectorAll('.block[data-task="' + CSS.escape(task) + '"]').forEach(function (one) { one.classList.add("chosen"); });
    document.dispatchEvent(new CustomEvent("visit-chosen", { detail: task }));
  }

  let dropped = false; // the click that ends a drag opens nothing
  document.addEventListener("click", function (event) {
    const link = event.target.closest("a[data-panel]");
    if (link && panel && !event.ctrlKey && !event.metaKey && !event.shiftKey && event.button === 0) {
      event.preventDefault();
      if (dropped) return;
      const task = decodeURIComponent(link.pathname.split("/").pop());
      choose(task);
      ask(link.pathname + link.search, null, panel).then(function () { show(panel); });
      panel.dataset.opener = link.id || task;
    }
    const part = event.target.closest("a[data-part]");
    const into = part ? document.querySelector(part.dataset.part) : null;
    if (into && !event.ctrlKey && !event.metaKey && !event.shiftKey && event.button === 0) {
      event.preventDefault();
      load(into, part.pathname + part.search);
    }
    const head = event.target.closest("[data-lane-map]");
    if (head) {
      const alone = head.getAttribute("aria-pressed") !== "true";
      document.querySelectorAll("[data-lane-map]").forEach(function (one) { one.setAttribute("aria-pressed", String(one === head && alone)); });
      document.dispatchEvent(new CustomEvent("lane-chosen", { detail: alone ? head.dataset.laneMap : "" }));
    }
    const close = event.target.closest("[data-close-panel], [data-close-trial]");
    if (close && close.closest("#panel, #trial")) {
      event.preventDefault();
      shut(close.closest("#panel, #trial"));
    }
    const more = event.target.closest("[data-fetch]");
    if (more) {
      const place = document.querySelector(more.dataset.into);
      more.disabled = true;
      ask(more.dataset.fetch, null, place).then(function () { more.disabled = false; });
    }
  });
  function shut(place) {
    place.replaceChildren();
    if (place === trial) unlift();
    const task = panel ? panel.dataset.opener : "";
    if (place === panel) choose("");
    const back = task ? document.querySelector('[data-panel][data-task="' + CSS.escape(task) + '"], [data-panel][href*="/' + CSS.escape(task) + '"]') : null;
    if (back) back.focus();
  }
  document.addEventListener("submit", function (event) {
    const into = event.target.dataset.into;
    const place = into ? document.querySelector(into) : null;
    if (!place) return;
    event.preventDefault();
    ask(event.target.action, new URLSearchParams(new FormData(event.target)), place).then(function () { show(place); });
  }, true);
  document.addEventListener("keydown", function (event) {
    if (event.key !== "Escape") return;
    if (drag) { finish(false); return; }
    if (trial && trial.firstChild) shut(trial);
    else if (panel && panel.firstChild) shut(panel);
  });

  // Dragging. A press becomes a drag when the pointer has gone a few pixels; a short press opens the visit.
  let drag = null;
  function unlift() { document.querySelectorAll(".lifted").forEach(function (one) { one.classList.remove("lifted"); }); document.querySelectorAll(".ghost").forEach(function (one) { one.remove(); }); }

  document.addEventListener("pointerdown", function (event) {
    const block = event.target.closest(".movable[data-task]");
    if (!block || event.button !== 0 || !form || event.target.closest("a.button, button, form")) return;
    const from = Number(block.dataset.from || 0);
    const minutes = block.dataset.to ? Number(block.dataset.to) - from : Number(block.dataset.minutes || 30);
    const lane = block.closest("[data-lane]");
    drag = { block: block, id: event.pointerId, x: event.clientX, y: event.clientY, minutes: minutes, on: false, grip: event.clientX - block.getBoundingClientRect().left, lane: lane ? lane.dataset.lane : "", place: null };
  });
  document.addEventListener("dragstart", function (event) { if (event.target.closest(".movable")) event.preventDefault(); });
  window.addEventListener("pointermove", function (event) {
    if (!drag || event.pointerId !== drag.id) return;
    if (!drag.on) {
      if (Math.hypot(event.clientX - drag.x, event.clientY - drag.y) < near) return;
      begin();
    }
    event.preventDefault();
    follow(event.clientX, event.clientY);
  }, { passive: false });
  window.addEventListener("pointerup", function (event) { if (drag && event.pointerId === drag.id) finish(true); });
  window.addEventListener("pointercancel", function (event) { if (drag && event.pointerId === drag.id) finish(false); });

  function begin() {
    drag.on = true;
    unlift();
    document.body.classList.add("dragging");
    document.querySelectorAll('.block[data-task="' + CSS.escape(drag.block.dataset.task) + '"]').forEach(function (one) { one.classList.add("lifted"); });
    drag.flying = document.createElement("div");
    drag.flying.className = "flying";
    drag.ghost = document.createElement("div");
    drag.ghost.className = "ghost";
    document.body.append(drag.flying);
  }
  function mark(one) {
    document.querySelectorAll(".target, .over").forEach(function (old) { if (old !== one) old.classList.remove("target", "over"); });
    if (one) one.classList.add(one.matches("[data-lane]") ? "target" : "over");
  }
  function follow(x, y) {
    const under = document.elementFromPoint(x, y);
    const lane = under ? under.closest("[data-lane]") : null;
    const day = under ? under.closest("[data-day]") : null;
    const out = under ? under.closest("[data-out]") : null;
    const name = (drag.block.querySelector(".block-name, .who") || drag.block).textContent.trim();
    let words = name;
    drag.place = null;
    drag.ghost.remove();
    if (lane && grid) {
      const strip = lane.querySelector(".strip");
      const box = strip.getBoundingClientRect();
      const raw = first + ((x - (drag.block.dataset.to ? Math.min(drag.grip, 40) : 0) - box.left) / box.width) * (last - first);
      const start = Math.min(Math.max(Math.round(raw / step) * step, first), last - drag.minutes);
      drag.ghost.style.left = share(start) + "%";
      drag.ghost.style.width = share(start + drag.minutes) - share(start) + "%";
      strip.append(drag.ghost);
      drag.place = { staff: lane.dataset.lane, start: clock(start), to: "" };
      words = name + " → " + lane.dataset.name + " " + clock(start);
      mark(lane);
    } else if (lane) {
      drag.place = { staff: lane.dataset.lane, start: "", to: lane.dataset.day || "" };
      words = name + " → " + lane.dataset.name + " " + (lane.dataset.dayName || "");
      mark(lane);
    } else if (day) {
      drag.place = { staff: drag.lane, start: "", to: day.dataset.day };
      words = name + " → " + day.textContent.trim();
      mark(day);
    } else if (out && drag.lane) {
      drag.place = { staff: "", start: "", to: "" };
      words = name + " → " + out.querySelector("h2").firstChild.textContent.trim();
      mark(out);
    } else mark(null);
    drag.flying.textContent = words;
    drag.flying.style.left = Math.min(x + 14, window.innerWidth - drag.flying.offsetWidth - 8) + "px";
    drag.flying.style.top = y + 16 + "px";
  }
  function finish(keep) {
    const done = drag;
    drag = null;
    if (!done.on) return;
    dropped = true;
    setTimeout(function () { dropped = false; }, 0);
    document.body.classList.remove("dragging");
    done.flying.remove();
    mark(null);
    const place = done.place;
    const there = place && (done.block.dataset.on || form.elements.on.value);
    const same = place && done.grip !== undefined && place.staff === done.lane && place.start === clock(Number(done.block.dataset.from || 0)) && !place.to;
    if (!keep || !place || same || (place.to === there && place.staff === done.lane && !place.start)) { unlift(); return; }
    // whoever stands in the lane that it came from is replaced by the one it goes to; all others of the visit stay
    const all = (done.block.dataset.staff || "").split(" ").filter(Boolean);
    let next = all.includes(place.staff) ? all : all.map(function (one) { return one === done.lane ? place.staff : one; });
    if (!place.staff) next = [];
    else if (!next.includes(place.staff)) next = [place.staff];
    form.elements.on.value = there;
    form.elements.task.value = done.block.dataset.task;
    form.elements.staff.value = next.join(" ");
    form.elements.start.value = place.start;
    form.elements.to.value = place.to && place.to !== there ? place.to : "";
    ask(form.action, new URLSearchParams(new FormData(form)), trial).then(function () { show(trial); });
  }
})();
