// A state file as the daemon writes it (src/pipeline/state_file, src/judge/growth/compact.rs), with the
// history of volumes that grew for hours: what is predicted needs a longer past than a test has.

import { writeFileSync } from 'node:fs';

// Width in seconds and most buckets of each rung.
const RUNGS = [[10, 30], [60, 30], [300, 24], [1800, 24], [14400, 18]];
const PAGE = 4096;

/** The checksum of zlib, which older Node does not offer. */
function crc32(bytes) {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

const base36 = (number) => (number === 0 ? '' : number.toString(36));

/** One volume that grew evenly for `hours` from `from` bytes to `to`, which is now. */
function history({ from, to, hours, limit, method }, now) {
  const began = now - hours * 3600;
  const bytes = (at) => from + ((to - from) * (at - began)) / (now - began);
  const rungs = RUNGS.map(([width, most]) => {
    const buckets = [];
    for (let first = Math.floor(now / width) * width; first >= began && buckets.length < most; first -= width) {
      const last = Math.min(first + width - 1, Math.floor(now));
      buckets.unshift({ first, last, low: Math.round(bytes(first) / PAGE), high: Math.round(bytes(last) / PAGE) });
    }
    let [time, pages] = [0, 0];
    return buckets.map(({ first, last, low, high }) => {
      const numbers = [first - time, last - first, low - pages, high - low];
      [time, pages] = [first, low];
      return numbers.map(base36).join(',');
    }).join(' ');
  });
  return [`v1 ${limit} ${began} ${method} ${now} ${to}`, ...rungs].join('|');
}

/** Writes the file. `volumes` are `{ key, from, to, hours, limit, method }`. */
export function writeState(file, volumes) {
  const now = Math.floor(Date.now() / 1000);
  const growth = JSON.stringify({ volumes: volumes.map((volume) => [volume.key, history(volume, now)]) });
  const body = `growth ${Buffer.byteLength(growth)}\n${growth}\n`;
  const version = Buffer.alloc(4);
  version.writeUInt32BE(1);
  const checksum = crc32(Buffer.concat([version, Buffer.from(body)])).toString(16).padStart(8, '0');
  writeFileSync(file, `plimsoll-state 1 ${checksum} ${Buffer.byteLength(body)}\n${body}`);
}
