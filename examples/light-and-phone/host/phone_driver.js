/* phone_driver.js - a hand on the phone: the page in Chromium, told on stdin what to do, a line each:
 *
 *   enter USER KEY-FILE    fills in the form and connects
 *   tap | leave | end
 *
 * Whenever the page shows something else, that is one line on stdout.
 */
"use strict";

const fs = require("node:fs");
const readline = require("node:readline");
const { withBrowser } = require("../../lib/browser.js");

const [url, screenshot] = process.argv.slice(2);

withBrowser(async (open) => {
  const page = await open(url, { width: 390, height: 760, phone: true });
  let shown = "";
  const look = async () => {
    const text = await page.evaluate(() => ["toggle", "light", "state"]
      .map((id) => document.getElementById(id)).filter((e) => e.checkVisibility() && e.textContent)
      .map((e) => e.textContent).join(" | "));
    if (text !== shown) console.log(text);
    shown = text;
  };
  const timer = setInterval(() => look().catch(() => {}), 50);
  const orders = readline.createInterface({ input: process.stdin });
  console.log("the page is open");
  for await (const line of orders) {
    const [what, user, keyFile] = line.split(" ");
    if (what === "enter") {
      await page.$eval("#user", (input, value) => { input.value = value; }, user);
      await page.type("#key", fs.readFileSync(keyFile, "utf8").trim());
      await page.click("#login button");
    } else if (what === "tap" || what === "leave") {
      await page.click(what === "tap" ? "#toggle" : "#leave");
    } else {
      break;
    }
  }
  clearInterval(timer);
  const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]));
  if (kept !== '[{},{},""]') throw new Error(`the page kept something: ${kept}`);
  if (screenshot) await page.screenshot({ path: screenshot });
  page.expected(/WebSocket connection to .* failed/); // while the broker was away
  process.stdin.destroy(); // a pipe that somebody else may hold open
});
