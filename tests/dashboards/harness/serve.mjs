// Serves the page, one dashboard and what Prometheus answers, on a port of 127.0.0.1.

import { createReadStream, existsSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const TESTS = fileURLToPath(new URL('..', import.meta.url));
const MODULES = path.join(TESTS, 'node_modules');
/** What a Grafana server has at these addresses. Without its font the page would be as wide as the host's. */
const OF_GRAFANA = [
  ['/public/build/img/icons/', (name) => path.join(MODULES, '@grafana/ui/dist/public/img/icons', name)],
  ['/public/fonts/inter/', () => path.join(MODULES, '@fontsource-variable/inter/files/inter-latin-wght-normal.woff2')],
];
const TYPES = {
  '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.json': 'application/json', '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};

// Asked for by Chromium on its own, and what only a Grafana server has: the font of code, and an icon
// of the time picker.
const ELSEWHERE = /^\/favicon\.ico$|^\/public\/fonts\/roboto\/|\/angle-double-left\.svg$/;

/** A file of the page itself. */
const own = (name) => path.join(TESTS, 'dist', name === '/' ? '/index.html' : name);

/** Starts it. `dashboards` gives the JSON of a name; `missing` takes down what was asked for in vain. */
export async function serve({ prometheus, dashboards, missing }) {
  const server = http.createServer(async (request, response) => {
    const { pathname } = new URL(request.url, 'http://here');
    if (pathname.startsWith('/prometheus/')) return forward(`${prometheus}${request.url.slice('/prometheus'.length)}`, response);
    if (pathname.startsWith('/dashboards/')) {
      response.writeHead(200, { 'content-type': TYPES['.json'] });
      return response.end(JSON.stringify(dashboards(decodeURIComponent(pathname.slice('/dashboards/'.length)))));
    }
    const [prefix, of] = OF_GRAFANA.find(([prefix]) => pathname.startsWith(prefix)) ?? ['', own];
    const file = of(path.normalize(pathname.slice(prefix.length)));
    if (!existsSync(file)) {
      if (!ELSEWHERE.test(pathname)) missing.add(pathname);
      response.writeHead(404);
      return response.end();
    }
    response.writeHead(200, { 'content-type': TYPES[path.extname(file)] ?? 'application/octet-stream' });
    createReadStream(file).pipe(response);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

async function forward(url, response) {
  try {
    const answer = await fetch(url);
    response.writeHead(answer.status, { 'content-type': TYPES['.json'] });
    response.end(Buffer.from(await answer.arrayBuffer()));
  } catch (error) {
    response.writeHead(502);
    response.end(String(error));
  }
}
