//! An answer as it is kept for an Idempotency-Key, before it is sealed.

use crate::context::Outcome;
use crate::error::{Error, Result};

pub(crate) struct Kept {
    pub(crate) outcome: Outcome,
    pub(crate) resource_id: Option<String>,
    /// What the door made of the answer.
    pub(crate) rendered: Vec<u8>,
}

impl Kept {
    /// Outcome (1 byte), length of the resource id (2 bytes), the id, the rest.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let id = self.resource_id.as_deref().unwrap_or_default().as_bytes();
        let id_length = u16::try_from(id.len()).unwrap_or(0);
        let mut bytes = vec![tag_of(self.outcome)];
        bytes.extend_from_slice(&id_length.to_be_bytes());
        bytes.extend_from_slice(id.get(..usize::from(id_length)).unwrap_or_default());
        bytes.extend_from_slice(&self.rendered);
        bytes
    }

    pub(crate) fn parse(bytes: &[u8]) -> Result<Self> {
        let damaged = || Error::internal("a kept answer can't be read");
        let [tag, high, low, rest @ ..] = bytes else { return Err(damaged()) };
        let outcome = OUTCOMES.into_iter().find(|outcome| tag_of(*outcome) == *tag).ok_or_else(damaged)?;
        let (id, rendered) =
            rest.split_at_checked(usize::from(u16::from_be_bytes([*high, *low]))).ok_or_else(damaged)?;
        let id = std::str::from_utf8(id).map_err(|_| damaged())?;
        Ok(Self { outcome, resource_id: Some(id.to_owned()).filter(|id| !id.is_empty()), rendered: rendered.to_vec() })
    }
}

const OUTCOMES: [Outcome; 5] =
    [Outcome::Created, Outcome::Done, Outcome::Empty, Outcome::NotModified, Outcome::Accepted];

fn tag_of(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Created => 1,
        Outcome::Done => 2,
        Outcome::Empty => 3,
        Outcome::NotModified => 4,
        Outcome::Accepted => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_comes_back() {
        for outcome in OUTCOMES {
            for resource_id in [None, Some("pol_1".to_owned())] {
                let kept = Kept { outcome, resource_id: resource_id.clone(), rendered: b"{}".to_vec() };
                let read = Kept::parse(&kept.to_bytes()).unwrap();
                assert_eq!((read.outcome, read.resource_id, read.rendered), (outcome, resource_id, b"{}".to_vec()));
            }
        }
        assert!(Kept::parse(&[1, 0]).is_err());
        assert!(Kept::parse(&[9, 0, 0]).is_err());
        assert!(Kept::parse(&[1, 0, 5, b'a']).is_err());
    }
}
