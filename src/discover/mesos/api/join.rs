//! `/state` knows where an executor runs, v1 knows what it and its tasks hold: the two together.

use std::collections::{HashMap, VecDeque};

use super::super::facts::{ExecutorFacts, TaskFacts};

/// Joins executors of `/state` with those of GET_EXECUTORS. The flag tells whether every live
/// executor's resources are known.
///
/// An executor id may have run several times; the agent lists runs in the same order in both
/// answers, so they are matched one to one.
pub(super) fn executors(
    state: Option<Vec<ExecutorFacts>>,
    v1: Option<Vec<ExecutorFacts>>,
) -> (Option<Vec<ExecutorFacts>>, bool) {
    let (mut executors, v1) = match (state, v1) {
        (Some(state), Some(v1)) => (state, v1),
        (state, v1) => {
            let have_resources = v1.is_some();
            return (state.or(v1), have_resources);
        }
    };
    let mut index: HashMap<_, VecDeque<ExecutorFacts>> = HashMap::new();
    for executor in v1 {
        let key = (executor.framework.clone(), executor.executor.clone(), executor.completed);
        index.entry(key).or_default().push_back(executor);
    }
    let mut complete = true;
    for executor in &mut executors {
        // It may have ended between the two answers.
        let found = [executor.completed, !executor.completed].into_iter().find_map(|completed| {
            let key = (executor.framework.clone(), executor.executor.clone(), completed);
            index.get_mut(&key)?.pop_front()
        });
        let Some(found) = found else {
            complete &= executor.completed;
            continue;
        };
        executor.resources = found.resources;
        executor.external = found.external;
        executor.docker = found.docker.or(executor.docker);
        executor.default_executor |= found.default_executor;
        executor.command_executor = executor.command_executor.or(found.command_executor);
        executor.completed |= found.completed;
        executor.role = executor.role.take().or(found.role);
    }
    // Those that started in between.
    executors.extend(in_order(index));
    (Some(executors), complete)
}

/// Joins tasks of `/state` with those of GET_TASKS. The flag tells whether every live task's
/// resources are known.
pub(super) fn tasks(
    state: Option<Vec<TaskFacts>>,
    v1: Option<Vec<TaskFacts>>,
) -> (Option<Vec<TaskFacts>>, bool) {
    let (mut tasks, v1) = match (state, v1) {
        (Some(state), Some(v1)) => (state, v1),
        (state, v1) => {
            let have_resources = v1.is_some();
            return (state.or(v1), have_resources);
        }
    };
    let mut index: HashMap<_, VecDeque<TaskFacts>> = HashMap::new();
    for task in v1 {
        let key = (task.framework.clone(), task.executor.clone(), task.id.clone());
        index.entry(key).or_default().push_back(task);
    }
    let mut complete = true;
    for task in &mut tasks {
        let key = (task.framework.clone(), task.executor.clone(), task.id.clone());
        let found = index.get_mut(&key).and_then(|queue| {
            // A task id may be used again in a later run.
            let place = queue
                .iter()
                .position(|other| other.run.is_some() && other.run == task.run)
                .or_else(|| queue.iter().position(|other| other.run.is_none()))?;
            queue.remove(place)
        });
        let Some(found) = found else {
            complete &= task.terminal;
            continue;
        };
        task.resources = found.resources;
        task.external = found.external;
        task.terminal |= found.terminal;
        task.container = found.container.or(task.container.take());
        task.docker = found.docker.or(task.docker);
    }
    tasks.extend(in_order(index));
    (Some(tasks), complete)
}

/// What is left, in an order that does not change from round to round.
fn in_order<K: Ord, T>(index: HashMap<K, VecDeque<T>>) -> impl Iterator<Item = T> {
    let mut rest: Vec<_> = index.into_iter().collect();
    rest.sort_by(|left, right| left.0.cmp(&right.0));
    rest.into_iter().flat_map(|(_, queue)| queue)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Quantity, Resource};

    fn disk(mebibytes: f64) -> Vec<Resource> {
        vec![Resource {
            name: "disk".into(),
            quantity: Quantity::Scalar(mebibytes),
            reservations: Vec::new(),
            allocated_to: None,
            disk: None,
            shared: false,
            revocable: false,
            provider_id: None,
        }]
    }

    fn task(run: Option<&str>, id: &str, resources: Vec<Resource>) -> TaskFacts {
        TaskFacts {
            framework: "f".into(),
            executor: "e".into(),
            run: run.map(str::to_owned),
            id: id.into(),
            resources,
            ..TaskFacts::default()
        }
    }

    #[test]
    fn a_task_id_used_twice_is_matched_by_its_run() {
        let state = vec![task(Some("r1"), "t", vec![]), task(Some("r2"), "t", vec![])];
        let v1 = vec![task(Some("r2"), "t", disk(2.0)), task(Some("r1"), "t", disk(1.0))];
        let (joined, complete) = tasks(Some(state), Some(v1));
        let joined = joined.unwrap();
        assert_eq!((joined.len(), complete), (2, true));
        assert_eq!(joined[0].resources, disk(1.0));
        assert_eq!(joined[1].resources, disk(2.0));
    }

    #[test]
    fn a_live_task_without_resources_is_told() {
        let state = vec![task(Some("r"), "a", vec![]), task(Some("r"), "b", vec![])];
        let v1 = vec![task(None, "b", disk(1.0)), task(Some("r"), "new", disk(3.0))];
        let (joined, complete) = tasks(Some(state.clone()), Some(v1));
        let ids: Vec<_> = joined.unwrap().into_iter().map(|task| task.id).collect();
        assert_eq!((ids, complete), (vec!["a".into(), "b".into(), "new".to_owned()], false));
        assert_eq!(tasks(Some(state.clone()), None), (Some(state), false));
        assert_eq!(tasks(None, Some(vec![])), (Some(vec![]), true));
        assert_eq!(tasks(None, None), (None, false));
    }

    #[test]
    fn runs_of_one_executor_are_matched_in_order() {
        let run = |container: Option<&str>, completed, resources| ExecutorFacts {
            framework: "f".into(),
            executor: "e".into(),
            container: container.map(str::to_owned),
            completed,
            resources,
            ..ExecutorFacts::default()
        };
        let state = vec![
            run(Some("live"), false, vec![]),
            run(Some("old-1"), true, vec![]),
            run(Some("old-2"), true, vec![]),
        ];
        let v1 = vec![run(None, false, disk(3.0)), run(None, true, disk(1.0))];
        let (joined, complete) = executors(Some(state), Some(v1));
        let joined: Vec<_> =
            joined.unwrap().into_iter().map(|e| (e.container.unwrap(), e.resources)).collect();
        let expected = vec![
            ("live".to_owned(), disk(3.0)),
            ("old-1".to_owned(), disk(1.0)),
            ("old-2".to_owned(), vec![]),
        ];
        assert_eq!((joined, complete), (expected, true));
    }
}
