// Faults planted into real dashboards: each must be seen, in these words.

const panel = ({ panels }, title) => panels.find((one) => one.title === title);
const target = (dashboard, title, index = 0) => panel(dashboard, title).targets[index];

export const MUTANTS = {};
