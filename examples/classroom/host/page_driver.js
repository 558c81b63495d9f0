/* page_driver.js - a pupil at the page, in Chromium: told on stdin what to do, a line each:
 *
 *   enter USER KEYS-FILE [PUPIL]   connects; the key is that of USER, or of PUPIL, in the spreadsheet
 *   switch | text WORD | leave | end
 *
 * Arguments: the page's address, what Chromium trusts though no authority that it knows has signed it (the
 * SHA-256 of public keys in Base64, with commas), and a file for a screenshot at the end, or none. Whenever
 * the page shows something else, that is one line on stdout.
 */
"use strict";

const fs = require("node:fs");
const readline = require("node:readline");
const { withBrowser } = require("../../lib/browser.js");

const [url, trusted, screenshot] = process.argv.slice(2);

withBrowser(async (open) => {
  const page = await open(url, { width: 900, height: 760 });
  let shown = "";
  const look = async () => {
    const text = await page.evaluate(() => [document.getElementById("state"), ...document.querySelectorAll(".tile")]
      .filter((e) => e.checkVisibility()).map((e) => [...e.childNodes].map((n) => n.textContent.trim()).join(" ").trim())
      .join(" | "));
    if (text !== shown) console.log(text);
    shown = text;
  };
  const timer = setInterval(() => look().catch(() => {}), 50);
  const orders = readline.createInterface({ input: process.stdin });
  console.log("the page is open");
  for await (const line of orders) {
    const [what, user, file, pupil = user] = line.split(" ");
    if (what === "enter") {
      const key = fs.readFileSync(file, "utf8").split("\n").map((row) => row.split(",")).find((row) => row[0] === pupil)[1];
      await page.$eval("#user", (input, value) => { input.value = value; }, user);
      await page.type("#key", key.trim());
      await page.click("#login button");
    } else if (what === "switch") {
      await page.click("[data-switch=led] button");
    } else if (what === "text") {
      await page.type("[data-text=text] input", user);
      await page.click("[data-text=text] button");
    } else if (what === "leave") {
      await page.click("#leave");
    } else {
      break;
    }
  }
  clearInterval(timer);
  if (screenshot) await page.screenshot({ path: screenshot });
  page.expected(/WebSocket connection to .* failed/); // while the broker was away
  process.stdin.destroy(); // a pipe that somebody else may hold open
}, { args: [`--ignore-certificate-errors-spki-list=${trusted}`] });
