// Expressions. Every selector is bound to the chosen clusters, jobs and hosts.

const TARGETS = 'cluster=~"$cluster", job=~"$job", instance=~"$instance"';

/** Writes the matchers of the chosen targets into each selector; `{}` where there is no other. */
export function bind(expression, targets = TARGETS) {
  const lone = /[{]\s*[}]/g;
  return expression
    .replace(/\s+/g, ' ')
    .trim()
    .replace(lone, '{\u0000}')
    .replace(/[{](?!\u0000)/g, `{${targets}, `)
    .replace(/[{]\u0000[}]/g, `{${targets}}`);
}

/** The same of what the recording rules summed up over hosts: it has no instance. */
export const bindRecorded = (expression) => bind(expression, 'cluster=~"$cluster", job=~"$job"');

/**
 * Over time the `count` series that are largest now: `topk` alone would pick others at each step.
 * `series` makes the expression from what stands after each selector.
 */
export const largestNow = (count, series) =>
  `${series('')} and topk(${count}, ${series(' @ end()')})`;

/** Labels that name a volume, a sandbox, and a network filesystem on one host. */
export const VOLUME = 'cluster, job, instance, source, role, volume, disk';
export const SANDBOX = 'cluster, job, instance, source, framework, executor, container';
export const NETWORK = 'cluster, job, instance, server, export, mount_point';

/** Volumes of the chosen roles; sandboxes of the chosen frameworks. */
export const ROLE = 'role=~"$role"';
export const FRAMEWORK = 'framework=~"$framework"';

/**
 * Gives each series the label `who`: a container by the name of its executor; a Docker container that
 * belongs to no task by the head of its id.
 */
export const withName = (expression) =>
  `label_replace(label_replace(${expression}, "who", "$1", "container", "(............).*"), "who", "$1", "executor", "(.+)")`;

/** Of series that every target has, those of Plimsoll's targets; a job or host that is gone counts too. */
export const OF_PLIMSOLL =
  'and on (cluster, job) group by (cluster, job) (last_over_time(plimsoll_build_info{}[$__range]))';
