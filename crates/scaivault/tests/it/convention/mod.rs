//! Contract 00: what holds for every route.

mod body;
mod cursor;
mod edge;
mod envelope;
mod glob;
mod header;
mod idempotency;
mod nul;
mod order;
mod path;
mod query;
mod rate;
mod smuggling;
mod socket;
mod tenancy;
mod wire;

use std::future::{IntoFuture, poll_fn};
use std::task::Poll;

use scaivault_testkit::{Actor, Answer, Call};
use serde_json::{Value, json};

/// Sends all at once; the answers stand in the order of the calls.
async fn together(calls: Vec<Call<'_>>) -> Vec<Answer> {
    let mut waiting: Vec<_> = calls.into_iter().map(|call| (call.into_future(), None)).collect();
    poll_fn(|cx| {
        for (call, answer) in waiting.iter_mut().filter(|(_, answer)| answer.is_none()) {
            if let Poll::Ready(ready) = call.as_mut().poll(cx) {
                *answer = Some(ready);
            }
        }
        if waiting.iter().all(|(_, answer)| answer.is_some()) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    waiting.into_iter().map(|(_, answer)| answer.unwrap()).collect()
}

/// A body for PUT that is right in every way.
fn some_data() -> Value {
    json!({"data": {"password": "pw"}})
}

fn code(answer: &Answer) -> String {
    answer.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
}

/// The audit entry of an answer (`U-2`: its request id finds it).
async fn audit_entry(root: &Actor<'_>, answer: &Answer) -> Value {
    let id = answer.header("x-request-id").unwrap();
    let logs = root.get(&format!("/v1/audit/logs?request_id={id}")).await.expect(200).json();
    assert_eq!(logs["logs"].as_array().unwrap().len(), 1, "{logs}");
    logs["logs"][0].clone()
}

/// How many secrets there are, soft-deleted ones too.
async fn secret_count(root: &Actor<'_>) -> i64 {
    let list = root.get("/v1/secrets?include_deleted=true&include_expired=true").await.expect(200);
    list.json()["total_count"].as_i64().unwrap()
}
