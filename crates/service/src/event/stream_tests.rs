use std::time::Duration;

use scaivault_domain::access::Space;
use scaivault_domain::action::Action;
use scaivault_domain::event::EventPatterns;
use scaivault_domain::glob::Glob;

use super::*;
use crate::testing::TestVault;

async fn open(app: &TestVault) -> Result<EventStream> {
    let interest = Interest {
        paths: vec![Glob::parse("**").unwrap()],
        events: EventPatterns::parse(vec!["*".to_owned()]).unwrap(),
        secret_type: None,
        tags: Vec::new(),
    };
    app.vault.open_stream(&app.admit(Action::EventStream).await, OpenStream { interest, last_event_id: None }).await
}

async fn next(stream: &mut EventStream) -> Option<StreamItem> {
    std::future::poll_fn(|cx| stream.poll_next(cx)).await
}

#[tokio::test]
async fn a_reader_that_takes_nothing_is_cut_off_and_keeps_nobody_waiting() {
    const WRITTEN: usize = 3 * ON_THE_WAY;
    let app = TestVault::new();
    let (mut slow, mut quick) = (open(&app).await.unwrap(), open(&app).await.unwrap());
    for number in 0..WRITTEN {
        app.write_secret(Space::Tenant, &format!("n/{number}")).await;
        assert!(next(&mut quick).await.is_some());
    }
    tokio::time::sleep(PATIENCE + Duration::from_secs(1)).await;
    let mut taken = 0;
    while next(&mut slow).await.is_some() {
        taken += 1;
    }
    assert!((1..WRITTEN).contains(&taken), "{taken}");
    app.write_secret(Space::Tenant, "after").await;
    assert!(next(&mut quick).await.is_some());
    // Its place came free.
    let others: Vec<EventStream> = {
        let mut others = Vec::new();
        for _ in 1..STREAMS_OF_AN_IDENTITY {
            others.push(open(&app).await.unwrap());
        }
        others
    };
    assert_eq!(open(&app).await.unwrap_err().code(), Code::RateLimited);
    drop(others);
}
