//! Where secrets stand in their rotation, which are due, and what became of rotations.

use scaivault_domain::id;
use scaivault_domain::rotation::{Fate, Progress, Trigger};
use scaivault_store::rotation_history::{self, NewHistoryItem};
use scaivault_store::rotation_state::{self, DueFilter, RotationState};
use scaivault_store::secret::{self, RotationAttachment, SecretRecord};
use scaivault_store::{Lane, StoreResult, WriteTx, rotation_policy};

use crate::{at, engines, record, scope};

fn attached(id: &str, path: &str) -> SecretRecord {
    let rotation = RotationAttachment {
        policy_id: "rot_a".to_owned(),
        assigned_at: at(0),
        assigned_by: "user:a@b.example".to_owned(),
    };
    SecretRecord { rotation: Some(rotation), last_rotated_at: Some(at(0)), ..record(id, path) }
}

fn state(id: &str, due: i64) -> RotationState {
    RotationState {
        secret_id: id.to_owned(),
        policy_tenant_id: "tnt_a".to_owned(),
        policy_id: "rot_a".to_owned(),
        overdue_at: at(due + 10),
        progress: Progress::new(at(due)),
    }
}

fn write_all(tx: &mut WriteTx<'_>, secrets: &[(&str, &str, i64)]) -> StoreResult<()> {
    for (id, path, due) in secrets {
        secret::insert(tx, &scope("tnt_a"), &attached(id, path))?;
        rotation_state::save(tx, &state(id, *due))?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_in_a_cycle_comes_back_as_it_was_written() {
    for bench in engines() {
        let store = bench.open();
        let progress = Progress {
            due_at: at(5),
            warned: Some(60),
            due_told: true,
            overdue_told: true,
            failures: 3,
            next_attempt_at: Some(at(9)),
        };
        let written = RotationState { progress, ..state("sec_1", 5) };
        let kept = written.clone();
        store
            .write(Lane::Whole, move |tx| {
                rotation_state::save(tx, &state("sec_1", 1))?;
                rotation_state::save(tx, &written)
            })
            .await
            .unwrap();
        assert_eq!(store.read(|view| rotation_state::find(view, "sec_1")).unwrap(), Some(kept));
        store.write(Lane::Whole, |tx| rotation_state::forget(tx, "sec_1", None)).await.unwrap();
        assert_eq!(store.read(|view| rotation_state::find(view, "sec_1")).unwrap(), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_due_comes_first_and_pages_follow_each_other() {
    for bench in engines() {
        let store = bench.open();
        let secrets =
            [("sec_1", "c", 20), ("sec_2", "b", 20), ("sec_3", "a", 30), ("sec_4", "d", 10), ("sec_5", "e", 40)];
        store
            .write(Lane::Whole, move |tx| {
                write_all(tx, &secrets)?;
                rotation_state::rest(tx, "sec_5")
            })
            .await
            .unwrap();
        let due = |tenant: &str, until: i64, not_overdue_at: Option<i64>, after: Option<(i64, &str)>, limit: i64| {
            let filter =
                DueFilter { policy_id: Some("rot_a"), until: at(until), not_overdue_at: not_overdue_at.map(at) };
            let after = after.map(|(due, path)| (at(due), path, "tnt_a"));
            let found =
                store.read(|view| rotation_state::due(view, scope(tenant).owner(), &filter, after, limit)).unwrap();
            found.into_iter().map(|found| found.path).collect::<Vec<_>>()
        };
        assert_eq!(due("tnt_a", 100, None, None, 10), ["d", "b", "c", "a"], "what rests is not due");
        assert_eq!(due("tnt_a", 20, None, None, 10), ["d", "b", "c"]);
        assert_eq!(due("tnt_a", 100, Some(20), None, 10), ["b", "c", "a"], "overdue from its very time on");
        assert_eq!(due("tnt_a", 100, None, Some((10, "d")), 1), ["b"]);
        assert_eq!(due("tnt_a", 100, None, Some((20, "b")), 10), ["c", "a"]);
        assert!(due("tnt_b", 100, None, None, 10).is_empty());
        store.write(Lane::Whole, |tx| secret::erase(tx, &scope("tnt_a"), "sec_4", "d")).await.unwrap();
        assert_eq!(due("tnt_a", 100, None, None, 10), ["b", "c", "a"]);
        store.write(Lane::Whole, |tx| rotation_policy::delete(tx, scope("tnt_a").owner(), "rot_a")).await.unwrap();
        assert!(due("tnt_a", 100, None, None, 10).is_empty());
    }
}

fn item(secret_id: &str, fate: Fate, started: i64) -> NewHistoryItem {
    NewHistoryItem {
        policy_tenant_id: "tnt_a".to_owned(),
        policy_id: "rot_a".to_owned(),
        secret_id: secret_id.to_owned(),
        path: "a/b".to_owned(),
        fate,
        trigger: Trigger::Scheduled,
        old_version: 1,
        new_version: None,
        started_at: at(started),
        completed_at: None,
        error: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn history_is_in_the_order_of_commits_whatever_the_clock_does() {
    for bench in engines() {
        let store = bench.open();
        let ids = store
            .write(Lane::Whole, |tx| {
                let mut ids = Vec::new();
                for started in [100, 100, 50, 200] {
                    let fresh = id::ulid(at(started), [9; 10]);
                    ids.push(rotation_history::append(tx, &item("sec_1", Fate::Success, started), fresh)?);
                }
                Ok(ids)
            })
            .await
            .unwrap();
        let list = |fate: Option<Fate>, before: Option<&str>| {
            let found = store
                .read(|view| rotation_history::list(view, scope("tnt_a").owner(), "rot_a", fate, before, 10))
                .unwrap();
            found.into_iter().map(|item| item.id).collect::<Vec<_>>()
        };
        let newest_first: Vec<String> = ids.iter().rev().cloned().collect();
        assert_eq!(list(None, None), newest_first);
        assert_eq!(list(Some(Fate::Success), Some(&ids[2])), [ids[1].clone(), ids[0].clone()]);
        assert!(list(Some(Fate::Failed), None).is_empty());
        let dropped = store.write(Lane::Whole, |tx| rotation_history::drop_old(tx, at(100), 10)).await.unwrap();
        assert_eq!((dropped, list(None, None).len()), (1, 3));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_waited_for_is_completed_or_withdrawn() {
    for bench in engines() {
        let store = bench.open();
        let fresh = |place: u8| id::ulid(at(1), [place; 10]);
        let waiting = store
            .write(Lane::Whole, move |tx| {
                rotation_history::append(tx, &item("sec_2", Fate::Pending, 1), fresh(1))?;
                rotation_history::append(tx, &item("sec_1", Fate::Pending, 1), fresh(2))
            })
            .await
            .unwrap();
        let done = NewHistoryItem {
            path: "moved".to_owned(),
            trigger: Trigger::Write,
            new_version: Some(2),
            completed_at: Some(at(7)),
            ..item("sec_1", Fate::Success, 7)
        };
        let again = done.clone();
        let completed =
            store.write(Lane::Whole, move |tx| rotation_history::complete_pending(tx, &done)).await.unwrap();
        assert_eq!(completed.as_ref(), Some(&waiting));
        assert_eq!(
            store.write(Lane::Whole, move |tx| rotation_history::complete_pending(tx, &again)).await.unwrap(),
            None
        );
        let found = store.read(|view| rotation_history::find(view, "tnt_a", "rot_a", &waiting)).unwrap().unwrap();
        assert_eq!((found.status.as_str(), found.trigger.as_str(), found.path.as_str()), ("success", "write", "moved"));
        assert_eq!((found.started_at, found.completed_at, found.new_version), (at(1), Some(at(7)), Some(2)));
        store.write(Lane::Whole, |tx| rotation_state::forget(tx, "sec_2", Some(at(8)))).await.unwrap();
        let all = store
            .read(|view| rotation_history::list(view, scope("tnt_a").owner(), "rot_a", Some(Fate::Failed), None, 10))
            .unwrap();
        assert_eq!((all.len(), all[0].completed_at), (1, Some(at(8))));
        assert!(!store.read(|view| rotation_history::is_pending(view, "sec_2")).unwrap());
    }
}
