//! What may be concluded from answers to a principal that is not allowed everything.

use super::*;

#[tokio::test]
async fn principals_of_a_guarded_agent() {
    for who in ["none", "wrong"] {
        let facts = read_from(principal(who)).await;
        assert_eq!(reasons(&facts), ["unauthorized"]);
        let error = &facts.errors[0];
        assert!(error.message.contains(r#"(Basic realm="mesos-agent-readonly")"#), "{error:?}");
        assert!(error.message.contains("also POST GET_TASKS"), "{error:?}");
        assert!(error.hint.contains("mesos.basic_auth"), "{error:?}");
        assert_eq!((facts.up, facts.authority), (true, Authority::Unknown));
        assert!(facts.tasks.is_none() && facts.resources.is_none() && facts.containers.is_none());
    }
    let facts = read_from(principal("exporter")).await;
    assert_eq!((facts.errors.as_slice(), facts.authority), (&[][..], Authority::Whole));
    assert_eq!(volumes(facts.resources.as_ref().unwrap()).len(), 7);

    let facts = read_from(principal("limited")).await;
    assert_eq!((reasons(&facts), facts.authority), (vec!["forbidden"], Authority::Filtered));
    assert!(facts.errors[0].hint.contains("--acls"), "{:?}", facts.errors);
    assert_eq!(facts.tasks, Some(vec![]));
    assert_eq!(facts.agent.unwrap().id.as_deref(), Some(AGENT));
}

#[tokio::test]
async fn sums_that_do_not_add_up_are_filtered_even_where_nothing_was_refused() {
    let whole = scene("01-empty");
    let facts = read_from(move |asked| match asked.what.as_str() {
        "GET /state" => Reply::Bytes(fixture("08-auth/limited-state.http")),
        _ => whole(asked),
    })
    .await;
    assert_eq!((facts.errors.as_slice(), facts.authority), (&[][..], Authority::Filtered));
}

#[tokio::test]
async fn v1_needs_credentials_and_v0_does_not() {
    let open = scene("02-live-quota-off");
    let facts = read_from(move |asked| match asked.what.split_once(' ').unwrap().0 {
        "POST" => Reply::Bytes(fixture("08-auth/none-v1-GET_TASKS.http")),
        _ => open(asked),
    })
    .await;
    assert_eq!((reasons(&facts), facts.authority), (vec!["unauthorized"], Authority::Whole));
    assert!(!facts.tasks_have_resources && !facts.executors_have_resources);
    assert_eq!(task(&facts, "ingest-1").resources, []);
    assert_eq!(executor(&facts, "dock-1").docker, Some(true));
    // The list of /containers stands in, without nested and standalone ones.
    assert_eq!((facts.containers.unwrap().len(), facts.containers_are_whole), (12, false));
    assert_eq!(facts.agent_resources, None);
}
