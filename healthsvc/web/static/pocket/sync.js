// Handing in what waits. One tab at a time; a record keeps its key until the server has said what became of it, so that a lost answer is
// asked for again and never stored twice.

import * as vault from "./vault.js";
import * as wire from "./wire.js";

const LOCK = "healthsvc-pocket-sync";

// Gives what came of it: { pack, problem }. ``problem``: "", "offline", "signed-out", "ended".
export async function sync(batch) {
  if (!vault.isOpen()) return { pack: null, problem: "locked" };
  return navigator.locks.request(LOCK, async function () {
    try {
      if (!(await wire.stands())) throw new wire.Ended();
      await wire.hello();
      await handIn(batch);
      const pack = await wire.takeAlong();
      await vault.putPack(pack);
      for (const one of await vault.records()) if (one.state === "sent") await vault.dropRecord(one.id);
      return { pack: pack, problem: "" };
    } catch (error) {
      if (error instanceof wire.Ended) { await vault.forget(); return { pack: null, problem: "ended" }; }
      if (error instanceof wire.SignedOut) return { pack: null, problem: "signed-out" };
      if (error instanceof wire.Offline) return { pack: null, problem: "offline" };
      throw error;
    }
  });
}

async function handIn(batch) {
  const ready = (await vault.records()).filter(function (one) { return one.state === "ready"; });
  ready.sort(function (a, b) { return a.changed - b.changed; });
  for (let from = 0; from < ready.length; from += batch) {
    const part = ready.slice(from, from + batch);
    for (const answer of await wire.handIn(part)) await settle(answer);
  }
}

async function settle(answer) {
  const found = (await vault.records()).find(function (one) { return one.wire && one.wire.key === answer.key; });
  if (!found) return; // it was changed meanwhile and has another key: that one is sent next
  if (answer.outcome === "store") {
    found.state = "sent";
  } else if (answer.outcome === "keep" || answer.outcome === "desk") {
    await vault.dropRecord(found.id); // the server has it, readable at the desk
    return;
  } else {
    found.state = answer.outcome === "ask" ? "asked" : "refused";
    found.answer = answer;
  }
  await vault.putRecord(found);
}
