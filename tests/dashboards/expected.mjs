export const DASHBOARDS = {
  fleet: { expected: {}, mayBeEmpty: {} },
  host: { query: 'var-instance=agent1.example:10061', expected: {}, mayBeEmpty: {} },
  volume: { query: 'var-role=eng/storage&var-volume=mysql-0', expected: {}, mayBeEmpty: {} },
  io: { expected: {}, mayBeEmpty: {} },
  reclaim: { expected: {}, mayBeEmpty: {} },
  network: { expected: {}, mayBeEmpty: {} },
  self: { expected: {}, mayBeEmpty: {} },
};
