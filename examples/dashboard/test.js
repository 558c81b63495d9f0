/* test.js - looks at the page through Chromium, as a person would. `run` says on stdin what to do and to
 * look for, a line each; what was seen is told on stdout, and a line with a dot ends the answer.
 *
 *   node test.js URL KEY-FILE [FOLDER]     FOLDER: for screenshots
 */
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const readline = require("node:readline");
const { withBrowser, until } = require("../lib/browser.js");

const [url, keyFile, folder] = process.argv.slice(2);
let open, page, seen = "";

const say = (text) => console.log(`  page: ${text}`);
const text = (selector) => page.evaluate((s) => document.querySelector(s)?.textContent ?? "", selector);
const has = (selector) => page.evaluate((s) => document.querySelector(s) !== null, selector);
const reads = (selector, what) => until(`${selector} says ${what}`, async () => (seen = await text(selector)).match(what));
const count = (id) => text(id).then((shown) => Number(shown.replace(/\D/g, "")));

async function login(name, key) {
  for (const [field, value] of [["#user", name], ["#key", key]]) {
    await page.$eval(field, (input) => { input.value = ""; });
    await page.type(field, value);
  }
  await page.keyboard.press("Enter");
}

/* Frames that came late, and the longest wait for one, between two calls. A measurement: nothing depends on it. */
const watch = (target = page) => target.evaluate(() => {
  globalThis.frames = [];
  globalThis.longTasks = [];
  new PerformanceObserver((entries) => longTasks.push(...entries.getEntries().map((e) => e.duration)))
    .observe({ entryTypes: ["longtask"] });
  let last = performance.now();
  requestAnimationFrame(function next(now) {
    frames.push(now - last);
    last = now;
    requestAnimationFrame(next);
  });
});
const measured = (target = page) => target.evaluate(() => {
  const late = frames.filter((gap) => gap > 50);
  const [longest, task] = [frames, longTasks].map((all) => Math.round(Math.max(0, ...all)));
  return `${frames.length} pictures, ${late.length} later than 50 ms, longest wait ${longest} ms, longest task ${task} ms`;
});

async function shot(name, how) {
  const mine = page;
  page = await open(url, how);
  const key = fs.readFileSync(keyFile, "utf8").trim();
  await login("anna", key);
  await until("all meters", async () => await count("#n-total") >= 10000 && (await count("[value=all]+span b")) >= 10000);
  if (how.device) {
    await page.evaluate((device) => { location.hash = `device/${device}`; }, how.device);
    await until("its feeds", () => page.evaluate(() => document.querySelectorAll("#feeds .card").length >= 5 &&
      document.querySelector("polyline").points.numberOfItems > 40));
  }
  if (how.busy) await until("something happened", () => page.evaluate(() => document.querySelectorAll("#activity li").length >= 14));
  await page.evaluate(() => new Promise((done) => setTimeout(done, 600))); // what moves comes to rest
  await page.screenshot({ path: path.join(folder, name) });
  await page.close();
  page = mine;
}

const scenes = {
  /** The page without a broker's word: strict, and empty. */
  async arrive() {
    page = await open(url);
    const title = await page.title();
    const refuses = await page.evaluate(() => {
      try {
        document.body.insertAdjacentHTML("beforeend", "<p>");
        return "nothing";
      } catch (error) {
        return error.name;
      }
    });
    if (refuses !== "TypeError") throw new Error("the page lets text become markup");
    page.expected(/TrustedHTML/);
    say(`"${title}" asks for a name and a key. Text never becomes markup: the browser itself refuses (${refuses})`);
  },
  async wrong() {
    await login("anna", "devreg_this-is-no-key");
    await reads("#login-state", /name or the key is wrong/);
    say(seen);
  },
  async login(name) {
    await login(name, fs.readFileSync(keyFile, "utf8").trim());
    await until("the dashboard", () => page.evaluate(() => document.querySelector("#app").checkVisibility()));
    const kept = await page.evaluate(() => sessionStorage.length + localStorage.length);
    if (kept !== 0) throw new Error("it keeps the key without being asked to");
    say(`logged in; it shows ${await count("#n-total")} devices, and keeps no key`);
  },
  async row(id, look) {
    await until(`${id} is ${look}`, () => has(`.row.${look}[data-device="${id}"]`));
    say(`${id} is ${look} in the list: "${await text(`[data-device="${id}"] .detail`)}"`);
  },
  /** With the keyboard alone. */
  async open(id) {
    await page.keyboard.press("/");
    await until("the search has the focus", () => page.evaluate(() => document.activeElement.id === "search"));
    await page.keyboard.down("Control");
    await page.keyboard.press("a");
    await page.keyboard.up("Control");
    await page.keyboard.type(id);
    await until("it is found", () => page.evaluate((name) =>
      document.querySelector(".row:not([hidden])")?.dataset.device === name, id));
    await page.keyboard.press("ArrowDown");
    await until("it is active", () => page.evaluate(() => {
      const active = document.querySelector("#list").getAttribute("aria-activedescendant");
      return active && document.activeElement.id === "list" && document.getElementById(active);
    }));
    await page.keyboard.press("Enter");
    await reads("#device-name", new RegExp(`^${id}$`));
    say(`/ ${id} ArrowDown Enter: "${id}, ${await text("#device-since")}"`);
  },
  async gauge(feed) {
    const label = () => page.evaluate((name) => document.querySelector(`[data-feed="${name}"] [role=img]`)?.ariaLabel, feed);
    const before = await until(`a gauge for ${feed}`, label);
    const after = await until("it moves", async () => (await label()) !== before && label());
    say(`a gauge "${before}" becomes "${after}"`);
  },
  async toggle(feed, want) {
    await until("the switch", () => has(`[data-feed="${feed}"] .switch:enabled`));
    await page.focus(`[data-feed="${feed}"] .switch`);
    await page.keyboard.press("Space");
    await until(`${feed} is ${want}`, () => has(`[data-feed="${feed}"] .switch[aria-checked="${want === "on"}"]:not([aria-busy])`));
    say(`Space on the switch: ${feed} is ${await text(`[data-feed="${feed}"] .word`)}, says the device`);
  },
  async refused(feed) {
    await until("the switch", () => has(`[data-feed="${feed}"] .switch:enabled`));
    await page.click(`[data-feed="${feed}"] .switch`);
    await reads("#device-note", /no rule/);
    say(seen);
  },
  /** Markup that came by a device stands there as text. */
  async hostile(feed) {
    await until("the text", () => has(`.card.text[data-feed="${feed}"]`));
    const harm = await page.evaluate(() => document.querySelector("main img, main script, main b") !== null || "harm" in globalThis);
    if (harm) throw new Error("what a device published became markup");
    say(`"${await text(`[data-feed="${feed}"] .words`)}" is text, and nothing else`);
  },
  async history(...words) {
    const regex = new RegExp(words.join(" "));
    await until(`the history says ${regex}`, () => page.evaluate((source) =>
      [...document.querySelectorAll("#history li span")].some((entry) => entry.textContent.match(source)), regex.source));
    say(`its history: "${await page.evaluate(() => document.querySelector("#history li span").textContent)}"`);
  },
  async cut(id, why) {
    await reads("#device-state", new RegExp(`^${why}$`));
    await until("its switches are off", () => has(".switch:disabled"));
    await page.keyboard.press("Escape");
    await until("the list has the focus", () => page.evaluate(() => document.activeElement.id === "list"));
    await page.click("[value=cut] + span");
    await scenes.row(id, "cut");
    say(`Cut off: ${await count("[value=cut] + span b")}. Escape leads back to the list`);
    await page.click("[value=all] + span");
    await page.$eval("#search", (input) => {
      input.value = "";
      input.dispatchEvent(new Event("input"));
    });
  },
  async watch() {
    await watch();
    say("counting pictures");
  },
  /** All of the fleet is known, and few rows exist for it. */
  async fleet(all, online) {
    await until("all are known", async () =>
      (await count("[value=all] + span b")) === Number(all) && (await count("#n-online")) === Number(online) &&
      (await count("[value=online] + span b")) === Number(online));
    say(`${all} devices, ${online} online. Meanwhile: ${await measured()}`);
  },
  async scroll() {
    await watch();
    const rows = await page.evaluate(async () => {
      const list = document.querySelector("#list"), most = list.scrollHeight - list.clientHeight;
      for (let step = 0; step <= 100; step++) {
        list.scrollTop = most * step / 100;
        await new Promise(requestAnimationFrame);
      }
      return document.querySelectorAll(".row").length;
    });
    if (rows > 80) throw new Error(`${rows} rows: the list is not virtual`);
    await until("the last device", () => has('.row:not([hidden])[data-device="meter-10000"]'));
    say(`from the first device to the last, with ${rows} rows: ${await measured()}`);
    await page.$eval("#list", (list) => { list.scrollTop = 0; });
  },
  /** What a page shows that comes now. */
  async anew(all) {
    const first = page, begin = Date.now();
    page = await open(url, { width: 390, height: 844, phone: true, dark: true });
    await watch();
    await login("anna", fs.readFileSync(keyFile, "utf8").trim());
    await until("all are told", async () => (await count("[value=all] + span b")) === Number(all));
    say(`a phone that comes now is told of ${all} devices in ${((Date.now() - begin) / 1000).toFixed(1)} s: ${await measured()}`);
    for (const view of ["", "overview", "device/boiler"]) {
      await page.evaluate((hash) => { location.hash = hash; }, view);
      await page.evaluate(() => new Promise(requestAnimationFrame));
      const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
      if (wide) throw new Error(`#${view} is wider than a phone`);
    }
    say("and nothing there is wider than its 390 pixels");
    await page.close();
    page = first;
  },
  async away() {
    await reads("#state", /lost|away/);
    await reads("#state", /The broker is away/);
    page.expected(/WebSocket connection/);
    say(seen);
  },
  async back() {
    await until("it is online again", () => page.evaluate(() => document.body.dataset.state === "online"));
    page.expected(/WebSocket connection/);
    say("connected again");
  },
  async screenshots() {
    await shot("dashboard-light.png", { width: 1280, height: 800, device: "greenhouse-2" });
    await shot("dashboard-dark.png", { width: 1280, height: 800, dark: true, busy: true });
    await shot("dashboard-phone.png", { width: 390, height: 844, phone: true, device: "greenhouse-2" });
    say(`three pictures in ${folder}`);
  },
};

withBrowser(async (openPage) => {
  open = openPage;
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [scene, ...words] = line.split(" ");
    if (scene === "end") return;
    await scenes[scene](...words);
    console.log(".");
  }
}).then(() => process.exit()); // stdin would keep it, after a failure
