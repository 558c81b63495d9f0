/* browser.js - Chromium without a window for the tests of pages. Needs puppeteer-core: see npm.bash.
 *
 *   const { withBrowser, until } = require("../lib/browser.js");
 *   withBrowser(async (open) => {
 *     const page = await open("http://localhost:9001/", { width: 390, height: 844, dark: true });
 *     await until("the pump is online", () => page.$("[data-device=pump-7].online"));
 *     page.expected(/WebSocket connection/);   // complaints that are meant; all others make it fail
 *   });
 *
 * What a page complains of (console errors and warnings, exceptions, failed requests) is collected, and the
 * process fails with it. Chromium is ended in any case, and what it wrote goes away with it.
 */
"use strict";

const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const puppeteer = require("puppeteer-core");

const WHILE = 30000; // ms; of a busy machine

/** Asks again until the answer is true, and returns it. */
async function until(what, ask) {
  const end = Date.now() + WHILE;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > end) throw new Error(`it did not come to this: ${what}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

async function open(browser, complaints, url, { width = 1280, height = 800, dark = false, phone = false } = {}) {
  const page = await browser.newPage();
  const mine = [];
  complaints.push(mine);
  const complain = (text) => mine.push(`${url}: ${text}`);
  page.on("console", (m) => ["error", "warn"].includes(m.type()) && complain(m.text()));
  page.on("pageerror", (error) => complain(error.stack ?? String(error)));
  page.on("requestfailed", (request) => complain(`${request.url()}: ${request.failure()?.errorText}`));
  page.on("response", (response) => response.status() >= 400 && complain(`${response.url()}: ${response.status()}`));
  page.expected = (regex) => mine.splice(0, mine.length, ...mine.filter((text) => !regex.test(text)));
  page.setDefaultTimeout(WHILE);
  await page.setViewport({ width, height, isMobile: phone, hasTouch: phone, deviceScaleFactor: 1 });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }]);
  await page.goto(url, { waitUntil: "load" });
  return page;
}

/** Runs `use(open, browser)`; the process's exit status says whether all was well. */
async function withBrowser(use, { args = [] } = {}) {
  const home = fs.mkdtempSync(path.join(os.tmpdir(), "browser."));
  const complaints = [];
  let browser = null;
  const end = async () => {
    if (browser) await browser.close().catch(() => browser.process()?.kill("SIGKILL"));
    fs.rmSync(home, { recursive: true, force: true, maxRetries: 5 });
  };
  for (const [signal, number] of [["SIGINT", 2], ["SIGTERM", 15], ["SIGHUP", 1]]) {
    process.once(signal, () => end().finally(() => process.exit(128 + number)));
  }
  try {
    browser = await puppeteer.launch({
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      env: { ...process.env, HOME: home },
      userDataDir: path.join(home, "profile"),
      protocolTimeout: 2 * WHILE,
      timeout: WHILE,
      handleSIGINT: false, handleSIGTERM: false, handleSIGHUP: false, // puppeteer's own do not end the process
      args: ["--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", ...args,
        ...(process.getuid() === 0 ? ["--no-sandbox"] : [])],
    });
    await use((url, how) => open(browser, complaints, url, how), browser);
    if (complaints.flat().length > 0) throw new Error(`the page complained:\n${complaints.flat().join("\n")}`);
  } catch (error) {
    console.error(error.stack ?? error);
    for (const text of complaints.flat()) console.error(text);
    process.exitCode = 1;
  } finally {
    await end();
  }
}

module.exports = { withBrowser, until };
