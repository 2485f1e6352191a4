// Renders one dashboard and tells what was shown, in `window.report`.
//
// Parameters of the address: `dashboard` (where its JSON is), `scrape` (seconds between scrapes),
// `theme`, `from` and `to`, and `var-NAME` as Grafana has them.

import { ThemeContext } from '@grafana/data';
import { LocationServiceProvider, locationService } from '@grafana/runtime';
import { VizPanel, sceneGraph } from '@grafana/scenes';
import * as UI from '@grafana/ui';
import { createRoot } from 'react-dom/client';
import { BrowserRouter } from 'react-router-dom';

import { setUp } from './grafana.js';
import { registerPanels } from './panels.jsx';
import { Prometheus } from './prometheus.js';
import { describe } from './report.js';
import { toScene } from './scene.js';

const asked = new URLSearchParams(location.search);
const scrape = Number(asked.get('scrape'));
const report = { panels: [], queries: [], errors: [], variables: {}, done: false };
window.report = report;
window.addEventListener('error', ({ message }) => report.errors.push(message));
window.addEventListener('unhandledrejection', ({ reason }) => report.errors.push(String(reason?.stack ?? reason)));

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function until(condition, seconds, what) {
  const end = Date.now() + seconds * 1000;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`${what} took longer than ${seconds} s`);
    await sleep(100);
  }
}

function Page({ dashboard, scene, theme }) {
  const Scene = scene.Component;
  const style = { padding: 16, display: 'flex', flexDirection: 'column' };
  return (
    <BrowserRouter>
      <LocationServiceProvider service={locationService}>
        <ThemeContext.Provider value={theme}>
          <UI.GlobalStyles />
          <UI.PortalContainer />
          <div style={style}>
            <div style={{ display: 'flex', alignItems: 'center', gap: 8, marginBottom: 8 }}>
              <h3 style={{ color: theme.colors.text.primary, margin: 0, flexGrow: 1 }}>{dashboard.title}</h3>
              {dashboard.links.map(({ title, url, icon }) => (
                <UI.LinkButton key={url} href={url} icon={icon} size="sm" variant="secondary" fill="text">{title}</UI.LinkButton>
              ))}
            </div>
            <Scene model={scene} />
          </div>
        </ThemeContext.Provider>
      </LocationServiceProvider>
    </BrowserRouter>
  );
}

async function main() {
  const theme = setUp({ mode: asked.get('theme') ?? 'dark', datasource: new Prometheus({ scrape, report }) });
  registerPanels();
  const dashboard = await (await fetch(asked.get('dashboard'))).json();
  const time = Object.fromEntries(['from', 'to'].filter((end) => asked.has(end)).map((end) => [end, asked.get(end)]));
  const scene = toScene(dashboard, { interval: `${scrape}s`, time, choices: (name) => asked.getAll(`var-${name}`) });
  document.body.style.background = theme.colors.background.canvas;
  document.body.style.margin = '0';
  createRoot(document.getElementById('root')).render(<Page dashboard={dashboard} scene={scene} theme={theme} />);

  const panels = sceneGraph.findAllObjects(scene, (one) => one instanceof VizPanel);
  const state = (panel) => sceneGraph.getData(panel).state.data?.state;
  const settled = (panel) => panel.state._pluginLoadError || ['Done', 'Error'].includes(state(panel));
  await until(() => panels.every(settled), 60, 'loading');
  await until(() => panels.every(drawn), 60, 'drawing');
  await document.fonts.ready;
  // In another font nothing is as wide as it is in Grafana.
  const faces = [...document.fonts].filter(({ family }) => family.replace(/"/g, '') === 'Inter');
  if (!faces.some(({ status }) => status === 'loaded') || faces.some(({ status }) => status === 'error')) {
    report.errors.push("Grafana's font was not loaded");
  }
  await still();

  for (const { state: { name, value, options } } of sceneGraph.getVariables(scene).state.variables) {
    report.variables[name] = { value, options: (options ?? []).map((one) => one.value) };
  }
  report.panels = panels.map((panel) => describe(panel, report.queries));
  report.height = document.getElementById('root').scrollHeight;
}

const element = (panel) => document.querySelector(`[data-viz-panel-key="${panel.state.key}"]`);

/** What a panel of its kind has once it is drawn. */
const DRAWN = { timeseries: 'canvas', table: '[role="grid"]', stat: '[data-testid^="data-testid panel content"] span' };

function drawn(panel) {
  const shown = element(panel);
  if (!shown) return false;
  return panel.state._pluginLoadError || shown.querySelector(`[data-nodata], ${DRAWN[panel.state.pluginId]}`) !== null;
}

/** Until nothing on the page has moved for a while. */
async function still() {
  const look = () => {
    const charts = [...document.querySelectorAll('canvas')].map(({ width, height }) => `${width}x${height}`);
    return `${document.body.innerText} ${charts} ${document.body.scrollHeight}`;
  };
  let [before, same] = ['', 0];
  await until(() => {
    const now = look();
    same = now === before ? same + 1 : 0;
    before = now;
    return same >= 5;
  }, 60, 'coming to rest');
}

main()
  .catch((error) => report.errors.push(String(error.stack ?? error)))
  .finally(() => { report.done = true; });
