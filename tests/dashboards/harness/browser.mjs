// Chromium, without a window and without any other host to talk to.

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import puppeteer from 'puppeteer-core';

export const WIDTH = 1600;

/** The browser's path: puppeteer does not look for it. */
function chromium() {
  const found = process.env.PATH.split(':').map((folder) => path.join(folder, 'chromium')).find(existsSync);
  if (!found) throw new Error('chromium is not in PATH: scripts/test installs it');
  return found;
}

/** Starts it; `show` renders one address and returns its report. */
export async function startBrowser() {
  const profile = mkdtempSync(path.join(os.tmpdir(), 'plimsoll-browser-'));
  const browser = await puppeteer.launch({
    executablePath: chromium(),
    userDataDir: profile,
    pipe: true,
    timeout: 120_000,
    protocolTimeout: 180_000,
    args: [
      '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--hide-scrollbars',
      '--disable-background-networking', '--disable-dev-shm-usage', '--disable-component-update', '--disable-sync', '--force-device-scale-factor=1',
      '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
    ],
  });
  return {
    show: (url, options) => show(browser, url, options),
    async close() {
      await browser.close();
      rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
    },
  };
}

/** The report of a page; with `image`, a picture of all of it, `height` of its top. */
async function show(browser, url, { image, height } = {}) {
  const page = await browser.newPage();
  const outside = new Set();
  const thrown = [];
  page.on('request', (request) => {
    if (!/^(http:\/\/127\.0\.0\.1[:/]|data:|blob:)/.test(request.url())) outside.add(request.url());
  });
  page.on('pageerror', (error) => thrown.push(error.message));
  // High enough that every panel is on the screen, for what is not is not drawn.
  await page.setViewport({ width: WIDTH, height: 3600 });
  await page.goto(url, { timeout: 120_000 });
  await page.waitForFunction('window.report && window.report.done', { timeout: 120_000, polling: 100 });
  const report = await page.evaluate('window.report');
  if (image) {
    const clip = { x: 0, y: 0, width: WIDTH, height: height ?? Math.ceil(report.height) };
    // Or the page is laid out anew for the picture, and what is drawn late is not on it.
    await page.screenshot({ path: image, clip, captureBeyondViewport: false });
  }
  await page.close();
  return { ...report, outside: [...outside], thrown };
}
