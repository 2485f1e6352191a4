// The kinds of panels, drawn by the components that Grafana's own panels draw with.

import * as D from '@grafana/data';
import { setPluginImportUtils } from '@grafana/runtime';
import * as UI from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';

const Stat = ({ data, fieldConfig, height, options, renderCounter, replaceVariables, timeZone, width }) => {
  const theme = UI.useTheme2();
  const values = () => D.getFieldDisplayValues({
    fieldConfig, replaceVariables, theme, timeZone,
    reduceOptions: options.reduceOptions, data: data.series, sparkline: options.graphMode === 'area',
  });
  return (
    <UI.VizRepeater
      getValues={values} getAlignmentFactors={D.getDisplayValueAlignmentFactors} width={width} height={height}
      source={data} itemSpacing={3} renderCounter={renderCounter} autoGrid orientation={options.orientation}
      renderValue={({ value, ...place }) => (
        <UI.BigValue
          value={value.display} sparkline={value.sparkline} text={options.text} colorMode={options.colorMode}
          graphMode={options.graphMode} justifyMode={options.justifyMode} textMode={options.textMode}
          theme={theme} {...place}
        />
      )}
    />
  );
};

const TimeSeries = ({ data, width, height, timeRange, timeZone, options }) => {
  const theme = UI.useTheme2();
  D.cacheFieldDisplayNames(data.series);
  // Lines are drawn after the series were joined, which forgets their names: the legend would have the
  // colour of the name, and the line another.
  for (const { fields } of data.series) {
    for (const { config, ...field } of fields.filter((one) => one.type === 'number')) {
      config.color = { mode: 'fixed', fixedColor: D.getFieldSeriesColor({ config, ...field }, theme).color };
    }
  }
  return (
    <UI.TimeSeries
      frames={data.series} structureRev={data.structureRev} width={width} height={height}
      timeRange={timeRange} timeZone={timeZone} legend={options.legend} options={options}
    />
  );
};

const Table = ({ data, width, height, timeRange, fieldConfig, options }) => {
  D.cacheFieldDisplayNames(data.series);
  return (
    <TableNG
      data={data.series[0]} width={width} height={height} timeRange={timeRange} fieldConfig={fieldConfig}
      cellHeight={options.cellHeight} sortBy={options.sortBy} enableSharedCrosshair={false}
    />
  );
};

const orNoData = (Panel) => function Shown(panel) {
  if (panel.data.series.some((frame) => frame.length > 0)) return <Panel {...panel} />;
  const none = panel.fieldConfig.defaults.noValue;
  const style = { height: panel.height, display: 'flex', alignItems: 'center', justifyContent: 'center' };
  return <div data-nodata={none ?? ''} style={style}>{none ?? 'No data'}</div>;
};

/** Options of single series that a kind of panel has, with Grafana's defaults. */
const CUSTOM = {
  timeseries: {
    drawStyle: 'line', lineInterpolation: 'linear', lineWidth: 1, lineStyle: undefined, fillOpacity: 0,
    gradientMode: 'none', spanNulls: false, insertNulls: false, showPoints: 'auto', pointSize: 5,
    stacking: { mode: 'none', group: 'A' }, barAlignment: 0, barWidthFactor: 0.6, fillBelowTo: undefined,
    transform: undefined, thresholdsStyle: { mode: 'off' }, axisPlacement: 'auto', axisLabel: '',
    axisWidth: undefined, axisSoftMin: undefined, axisSoftMax: undefined, axisGridShow: true,
    axisCenteredZero: false, axisColorMode: 'text', axisBorderShow: false,
    scaleDistribution: { type: 'linear' }, hideFrom: { legend: false, tooltip: false, viz: false },
  },
  table: {
    align: 'auto', cellOptions: { type: 'auto' }, inspect: false, width: undefined, minWidth: undefined,
    hidden: undefined, hideFrom: undefined, filterable: undefined,
  },
  stat: {},
};

/** Registers the kinds of panels; of any other kind a dashboard asks in vain. */
export function registerPanels() {
  const plugins = {};
  for (const [id, Panel] of Object.entries({ stat: Stat, timeseries: TimeSeries, table: Table })) {
    const plugin = new D.PanelPlugin(orNoData(Panel)).useFieldConfig({
      useCustomConfig: (builder) => {
        for (const [key, defaultValue] of Object.entries(CUSTOM[id])) {
          builder.addCustomEditor({
            id: key, path: key, name: key, defaultValue, process: D.identityOverrideProcessor,
            editor: () => null, override: () => null, shouldApply: () => true,
          });
        }
      },
    });
    plugin.meta = { id, name: id, sort: 1, type: 'panel', info: { version: '' }, module: '', baseUrl: '' };
    plugins[id] = plugin;
  }
  setPluginImportUtils({
    getPanelPluginFromCache: (id) => plugins[id],
    importPanelPlugin: async (id) => plugins[id] ?? Promise.reject(new Error(`no panel is called ${id}`)),
  });
}
