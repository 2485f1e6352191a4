// The kinds of panels, drawn by the components that Grafana's own panels draw with.

import * as D from '@grafana/data';
import { setPluginImportUtils } from '@grafana/runtime';
import * as UI from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';

const single = (renderValue, { autoGrid, orientation }) => (panel) => {
  const theme = UI.useTheme2();
  const { options } = panel;
  const values = () => D.getFieldDisplayValues({
    fieldConfig: panel.fieldConfig,
    reduceOptions: { calcs: ['lastNotNull'], ...options.reduceOptions },
    replaceVariables: panel.replaceVariables,
    theme,
    data: panel.data.series,
    sparkline: options.graphMode === 'area',
    timeZone: panel.timeZone,
  });
  return (
    <UI.VizRepeater
      getValues={values}
      getAlignmentFactors={D.getDisplayValueAlignmentFactors}
      width={panel.width}
      height={panel.height}
      source={panel.data}
      itemSpacing={3}
      minVizHeight={options.minVizHeight}
      renderCounter={panel.renderCounter}
      autoGrid={autoGrid}
      orientation={options.orientation ?? orientation}
      renderValue={(shown) => renderValue({ ...shown, options, theme })}
    />
  );
};

const Stat = single(({ value, count, options, ...rest }) => (
  <UI.BigValue
    value={value.display} sparkline={value.sparkline} count={count} text={options.text}
    colorMode={options.colorMode} graphMode={options.graphMode} justifyMode={options.justifyMode}
    textMode={options.textMode} {...rest}
  />
), { autoGrid: true, orientation: 'auto' });

const Bars = single(({ value, options, ...rest }) => (
  <UI.BarGauge
    value={value.display} field={value.field} text={options.text} displayMode={options.displayMode}
    display={value.view?.getFieldDisplayProcessor(value.colIndex)} itemSpacing={8} lcdCellWidth={12}
    valueDisplayMode={options.valueMode} namePlacement={options.namePlacement}
    showUnfilled={options.showUnfilled} {...rest}
  />
), { autoGrid: false, orientation: 'horizontal' });

const TimeSeries = ({ data, width, height, timeRange, timeZone, options }) => (
  <UI.TimeSeries
    frames={data.series} structureRev={data.structureRev} width={width} height={height}
    timeRange={timeRange} timeZone={timeZone} legend={options.legend} options={options}
  />
);

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
  bargauge: {},
};

/** Registers the kinds of panels; of any other kind a dashboard asks in vain. */
export function registerPanels() {
  const plugins = {};
  for (const [id, Panel] of Object.entries({ stat: Stat, bargauge: Bars, timeseries: TimeSeries, table: Table })) {
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
