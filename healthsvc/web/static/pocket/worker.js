// Without network the application still opens, and a page that cannot be had leads to it. Everything else is left alone: no page with a
// person on it is ever kept here. The list of files and their version stand above, put there by the server.
"use strict";

const STORE = "healthsvc-pocket-" + CARRIED.version;

self.addEventListener("install", function (event) {
  event.waitUntil(caches.open(STORE).then(function (kept) {
    return kept.addAll(CARRIED.files.map(function (address) { return new Request(address, { cache: "reload" }); }));
  }));
});

self.addEventListener("activate", function (event) {
  event.waitUntil(caches.keys().then(function (names) {
    return Promise.all(names.filter(function (name) { return name.startsWith("healthsvc-pocket-") && name !== STORE; }).map(function (name) { return caches.delete(name); }));
  }).then(function () { return self.clients.claim(); }));
});

self.addEventListener("message", function (event) {
  if (event.data === "take over") self.skipWaiting();
  if (event.data === "version" && event.ports[0]) event.ports[0].postMessage(CARRIED.version);
});

async function carried(request) {
  const kept = await (await caches.open(STORE)).match(request, { ignoreSearch: true });
  return kept || fetch(request);
}

// Where a page of a visit cannot be had, the visit opens in the application.
async function orPocket(request) {
  try {
    return await fetch(request);
  } catch (error) {
    const visit = new URL(request.url).pathname.match(/^\/visits\/([A-Za-z0-9.-]+)/);
    return Response.redirect(CARRIED.shell + (visit ? "#/visit/" + visit[1] : ""), 303);
  }
}

self.addEventListener("fetch", function (event) {
  const request = event.request;
  const address = new URL(request.url);
  if (address.origin !== self.location.origin) return;
  if (request.method === "GET" && CARRIED.files.indexOf(address.pathname) >= 0) event.respondWith(carried(request));
  else if (request.mode === "navigate" && address.pathname !== "/sign-out") event.respondWith(orPocket(request));
});
