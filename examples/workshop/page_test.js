/* page_test.js - Carla in Chromium: page_test.js URL BROKER KEY-FILE WRONG-KEY-FILE. Says what the page shows. */
"use strict";

const fs = require("node:fs");
const { withBrowser, until } = require("../lib/browser.js");

const [url, broker, keyFile, wrongKeyFile] = process.argv.slice(2);

withBrowser(async (open) => {
  const page = await open(url);
  const shows = async (selector, text) => {
    await until(`the page shows: ${text}`, async () => (await page.$eval(selector, (e) => e.textContent)).includes(text));
    console.log("the page shows:", text);
  };
  const enter = async (file) => {
    await page.$eval("#user", (input) => { input.value = "carla"; });
    await page.$eval("#broker", (input, value) => { input.value = value; }, broker);
    await page.type("#key", fs.readFileSync(file, "utf8").trim());
    await page.click("#login button");
  };
  const say = async (text) => {
    await page.type("#text", text);
    await page.click("#talk button");
  };
  await enter(wrongKeyFile);
  await shows("#state", "The name or the key is wrong.");
  await page.click("#leave");
  await enter(keyFile);
  await shows("#state", "Connected.");
  await say("Hello from a browser!");
  await shows("#said", "carla");
  await shows("#said", "<b>Hello</b><img src=x onerror=alert(1)>"); // what Boris answers
  const markup = await page.$$eval("#said li", (lines) => lines.map((line) => line.querySelectorAll("*").length));
  if (!markup.every((count) => count === 1)) throw new Error("what Boris wrote became markup");
  await page.click("#bell");
  await say("Bye!");
  await shows("#said", "Bye!");
  await page.click("#leave");
});
