// What a Grafana server's page sets up before its libraries can draw.

import * as D from '@grafana/data';
import * as runtime from '@grafana/runtime';
import { Observable } from 'rxjs';

/** Registers everything; `datasource` answers all queries. Returns the theme. */
export function setUp({ mode, datasource }) {
  const theme = D.createTheme({ colors: { mode } });
  runtime.config.theme2 = theme;
  registerFieldOptions();
  registerTransformations();
  serve(datasource);
  runtime.setAppEvents(new D.EventBusSrv());
  return theme;
}

function registerFieldOptions() {
  const option = (id, process, defaultValue) => ({
    id, path: id, name: id, process, defaultValue,
    editor: () => null, override: () => null, shouldApply: () => true, settings: {},
  });
  const red = { color: 'red', value: 80 };
  const thresholds = { mode: 'absolute', steps: [{ color: 'green', value: -Infinity }, red] };
  D.standardFieldConfigEditorRegistry.setInit(() => [
    option('displayName', D.displayNameOverrideProcessor),
    option('unit', D.unitOverrideProcessor),
    option('min', D.numberOverrideProcessor),
    option('max', D.numberOverrideProcessor),
    option('decimals', D.numberOverrideProcessor),
    option('noValue', D.stringOverrideProcessor),
    option('color', D.identityOverrideProcessor),
    option('thresholds', D.thresholdsOverrideProcessor, thresholds),
    option('mappings', D.valueMappingsOverrideProcessor, []),
    option('links', D.identityOverrideProcessor),
  ]);
  D.standardEditorsRegistry.setInit(() => []);
}

function registerTransformations() {
  const known = new Map(Object.values(D.standardTransformers).map((one) => [one.id, one]));
  D.standardTransformersRegistry.setInit(() =>
    [...known.values()].map((one) => ({
      id: one.id, name: one.name, transformation: async () => one, editor: () => null,
    })));
}

function serve(datasource) {
  const settings = {
    uid: 'prometheus', name: 'Prometheus', type: 'prometheus', meta: datasource.meta,
    isDefault: true, readOnly: true,
  };
  runtime.setDataSourceSrv({
    get: async () => datasource,
    getList: () => [settings],
    getInstanceSettings: () => settings,
    reload() {},
    registerRuntimeDataSource() {},
  });
  runtime.setRunRequest((from, request) => new Observable((subscriber) => {
    const timeRange = request.range;
    subscriber.next({ state: 'Loading', series: [], timeRange });
    const running = from.query(request).subscribe({
      next: ({ data, state, errors }) => {
        subscriber.next({ state, series: data, timeRange, request, errors, error: errors?.[0] });
        subscriber.complete();
      },
      error: (error) => subscriber.error(error),
    });
    return () => running.unsubscribe();
  }));
  runtime.setTemplateSrv({
    getVariables: () => [], replace: (text) => text, containsTemplate: () => false, updateTimeRange() {},
  });
  const nothing = { links: [], components: [], functions: [], extensions: [], isLoading: false };
  for (const hook of [
    'setPluginLinksHook', 'setPluginComponentsHook', 'setPluginFunctionsHook', 'setPluginExtensionsHook',
    'setReturnToPreviousHook', 'setPluginComponentHook',
  ]) runtime[hook]?.(() => nothing);
}
