// The day on a map: our own roads as lines, circles, stations, each lane's way in order. No tiles, no other host.
"use strict";

(function () {
  const place = document.getElementById("map");
  if (!place || !window.L) return;
  const words = place.dataset;
  const colours = ["#0b6b5d", "#1f5c99", "#a3480b", "#6b3fa0", "#8c1d4f", "#4d6b12", "#0a6f8f", "#7a4b16", "#3d4a9e", "#9a2f2f", "#2f6b3a", "#5a5a66"];
  const widths = [4, 4, 3.6, 3, 2.6, 1.8, 1.1];
  const shades = ["#aebcb5", "#aebcb5", "#b6c3bd", "#bfcac5", "#c6d0cb", "#d3dbd7", "#dfe5e1"];
  const map = L.map(place, { preferCanvas: true, zoomControl: true, attributionControl: true, zoomSnap: 0.25, maxZoom: 19 });
  map.attributionControl.setPrefix("");
  const circles = L.layerGroup();
  const dots = L.featureGroup();
  const ways = []; // lanes with what is drawn of them
  const pins = {}; // visit -> its markers
  map.createPane("ground").style.zIndex = 250;
  const ground = L.canvas({ padding: 0.4, pane: "ground" });

  function read(path) {
    return fetch(path, { headers: { accept: "application/json" }, credentials: "same-origin" }).then(function (answer) {
      if (!answer.ok) throw new Error(String(answer.status));
      return answer.json();
    });
  }

  function text(tag, words, kind) {
    const made = document.createElement(tag);
    if (kind) made.className = kind;
    made.textContent = words;
    return made;
  }

  function bubble(stop, lane) {
    const made = document.createElement("div");
    const link = text("a", stop.name);
    link.href = "/visits/" + encodeURIComponent(stop.visit);
    made.append(link, text("p", [lane ? lane.name : "", stop.label].filter(Boolean).join(" · "), "muted"), text("p", stop.address, "small"));
    return made;
  }

  function mark(stop, colour, number) {
    const icon = L.divIcon({ className: "", iconSize: [24, 24], html: "" });
    const marker = L.marker([stop.lat, stop.lon], { icon: icon, title: stop.name, alt: stop.name, keyboard: true });
    marker.on("add", function () {
      const at = marker.getElement();
      const sign = text("span", String(number), "pin " + stop.state);
      sign.style.setProperty("background-color", stop.state === "finished" ? "#fff" : colour);
      sign.style.setProperty("color", stop.state === "finished" ? colour : "#fff");
      sign.style.setProperty("border-color", colour);
      at.replaceChildren(sign);
    });
    return marker;
  }

  function drawRoads(roads) {
    map.attributionControl.addAttribution(text("span", roads.attribution).outerHTML);
    roads.features.forEach(function (one) {
      const kind = one.properties;
      if (one.geometry.type === "Polygon") {
        const water = kind.kind === "river";
        L.geoJSON(one, { interactive: false, renderer: ground, style: { stroke: !water, color: "#c9d3ce", weight: 1, dashArray: "2 4", fillColor: water ? "#cfe3ee" : "#fff", fillOpacity: water ? 1 : 0.35 } }).addTo(map);
        return;
      }
      const lines = one.geometry.coordinates.map(function (line) { return line.map(function (p) { return [p[1], p[0]]; }); });
      L.polyline(lines, { interactive: false, renderer: ground, smoothFactor: 0.6, color: shades[kind.rank], weight: widths[kind.rank] }).addTo(map);
    });
    if (roads.bbox && !map.ready) fit(L.latLngBounds([roads.bbox[1], roads.bbox[0]], [roads.bbox[3], roads.bbox[2]]));
  }

  function fit(bounds) {
    if (!bounds.isValid()) return;
    map.ready = true;
    map.fitBounds(bounds, { padding: [24, 24], maxZoom: 16, animate: false });
  }

  function drawStation(one) {
    const marker = L.marker([one.lat, one.lon], { icon: L.divIcon({ className: "", iconSize: [26, 26] }), title: one.name, alt: one.name, zIndexOffset: 500 });
    marker.on("add", function () { marker.getElement().replaceChildren(text("span", "+", "station")); });
    marker.bindTooltip(one.name).addTo(map);
  }

  function drawDay(day) {
    day.stations.forEach(drawStation);
    day.waiting.forEach(function (stop) {
      if (stop.lat === undefined) return;
      const colour = stop.state === "overdue" ? "#b3261e" : "#8b9a95";
      L.circleMarker([stop.lat, stop.lon], { radius: stop.state === "overdue" ? 5 : 3.5, weight: 1, color: "#fff", fillColor: colour, fillOpacity: 0.95 })
        .bindPopup(bubble(stop, null)).addTo(dots);
    });
    const way = L.featureGroup();
    day.lanes.forEach(function (lane) {
      const colour = colours[(lane.number - 1) % colours.length];
      const at = lane.stops.filter(function (stop) { return stop.lat !== undefined; });
      // along the roads a full line; where only an estimate counts, a straight dotted one
      const drawn = lane.legs.map(function (leg) {
        const style = { color: colour, weight: leg.road ? 3 : 2.5, opacity: 0.75, dashArray: leg.road ? null : "1 6", lineCap: "round", interactive: false };
        return L.polyline(leg.line, style).addTo(way);
      });
      at.forEach(function (stop) {
        const pin = mark(stop, colour, lane.stops.indexOf(stop) + 1).bindPopup(bubble(stop, lane)).addTo(way);
        drawn.push(pin);
        (pins[stop.visit] = pins[stop.visit] || []).push(pin);
      });
      ways.push({ id: lane.id, drawn: drawn });
    });
    way.addTo(map);
    dots.addTo(map);
    const everything = L.featureGroup([way, dots]);
    const bounds = way.getLayers().length ? way.getBounds() : everything.getBounds();
    day.stations.forEach(function (one) { bounds.extend([one.lat, one.lon]); });
    fit(bounds);
  }

  function drawCircles(found) {
    L.geoJSON(found, { interactive: false, style: { color: "#0b6b5d", weight: 1, opacity: 0.5, fillColor: "#0b6b5d", fillOpacity: 0.08 } }).addTo(circles);
    circles.addTo(map);
    L.control.layers(null, Object.fromEntries([[words.circles, circles], [words.waiting, dots]]), { collapsed: false, position: "topright" }).addTo(map);
  }

  // a visit chosen on the board is shown on the map
  document.addEventListener("visit-chosen", function (event) {
    place.querySelectorAll(".pin.chosen").forEach(function (one) { one.classList.remove("chosen"); });
    (pins[event.detail] || []).forEach(function (pin) {
      const sign = pin.getElement() && pin.getElement().querySelector(".pin");
      if (sign) sign.classList.add("chosen");
      map.panInside(pin.getLatLng(), { padding: [60, 60] });
    });
  });

  // one lane alone, or all of them
  document.addEventListener("lane-chosen", function (event) {
    ways.forEach(function (lane) {
      const seen = !event.detail || lane.id === event.detail;
      lane.drawn.forEach(function (one) { if (seen) one.addTo(map); else one.remove(); });
    });
    const own = ways.filter(function (lane) { return lane.id === event.detail && lane.drawn.length > 1; });
    if (own.length) fit(L.featureGroup(own[0].drawn).getBounds());
  });

  const verdicts = { inside: "#0b6b5d", outside: "#b3261e", ask: "#6b3fa0" }; // the rest is estimated
  function drawHomes(found) {
    found.features.forEach(function (one) {
      const at = [one.geometry.coordinates[1], one.geometry.coordinates[0]];
      if (one.properties.kind === "home") L.circleMarker(at, { radius: 3.5, weight: 1, color: "#fff", fillColor: verdicts[one.properties.verdict] || "#c07a12", fillOpacity: 0.95, interactive: false }).addTo(dots);
      else drawStation({ lat: at[0], lon: at[1], name: one.properties.name });
    });
    dots.addTo(map);
    fit(dots.getBounds());
  }
  let stationsDrawn = false;
  function drawStudy(found) {
    if (!stationsDrawn) found.stations.forEach(drawStation);
    stationsDrawn = true;
    dots.clearLayers();
    found.places.forEach(function (one, number) {
      mark({ lat: one.lat, lon: one.lon, name: one.name, state: "planned" }, "#a3480b", number + 1).bindTooltip(one.name).addTo(dots);
    });
    dots.addTo(map);
    const bounds = dots.getBounds();
    found.stations.forEach(function (one) { bounds.extend([one.lat, one.lon]); });
    fit(bounds);
  }
  let chosen = words.study; // of several asked for one after the other the last one is shown, whichever comes first
  function show(path) {
    chosen = path;
    return read(path).then(function (found) { if (path === chosen) drawStudy(found); });
  }
  document.addEventListener("click", function (event) {
    const other = event.target.closest("[data-places]");
    if (other) show(other.dataset.places).catch(function () { place.replaceChildren(text("p", words.failed, "empty")); });
  });

  const waiting = text("span", "", "spin waits"); // until there is something to see
  waiting.setAttribute("aria-hidden", "true");
  place.setAttribute("aria-busy", "true");
  place.append(waiting);
  function drawn() {
    waiting.remove();
    place.removeAttribute("aria-busy");
  }

  (words.homes ? read(words.homes).then(drawHomes) : words.study ? show(words.study) : read(words.day).then(drawDay))
    .then(function () { return read("/map/roads.json"); }).then(drawRoads).then(drawn)
    .then(function () { return read("/map/circles.json"); }).then(drawCircles)
    .then(function () { place.dataset.drawn = "true"; })
    .catch(function () { drawn(); place.replaceChildren(text("p", words.failed, "empty")); });
})();
