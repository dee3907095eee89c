//! Generated values, and those that take too long to be made inside a transaction.
//!
//! An RSA key or a bcrypt hash takes up to seconds, and there is one writer. Only a run inside the transaction knows which recipe
//! holds, whether the caller may and whether the secret is there. So the first run asks for what it lacks and is undone without a
//! trace; the values are made on a thread of their own; then the command runs again, and takes them only if they are of the recipe
//! that holds by then. Nothing is made for a request that is refused, and a recipe that is quick needs no second run. A run that
//! generates for several secrets names each: every one gets values of its own, and all that are lacking are made before the next run.

use std::collections::BTreeMap;
use std::sync::Arc;

use scaivault_crypto::SecretString;
use scaivault_domain::recipe::{self, Generated, Recipe};

use crate::context::Work;
use crate::error::{Error, Result};
use crate::vault::Vault;

/// Slow recipes that are worked on at a time: each takes a whole processor, and requests need some too.
pub(crate) const CONCURRENT_MAKERS: usize = 2;

/// How often the recipe of one request may be another one by the time its values are there.
const MOST_TURNS: u8 = 4;

/// The slow values that a run has, and those it lacks, by what they are for.
#[derive(Clone, Default)]
pub(crate) struct Making {
    made: BTreeMap<String, Arc<Made>>,
    lacking: BTreeMap<String, Recipe>,
    turns: u8,
    rehearsal: bool,
}

struct Made {
    recipe: Recipe,
    values: Result<Vec<Generated>>,
}

impl Making {
    /// Whether the run could not go on for want of a value, so that it counts for nothing.
    pub(crate) fn lacks_something(&self) -> bool {
        !self.lacking.is_empty()
    }

    /// Whether the run is undone whatever it comes to: then empty values do.
    pub(crate) fn rehearse(&mut self, rehearsal: bool) {
        self.rehearsal = rehearsal;
    }
}

impl Work<'_> {
    /// Generates for `subject` (a secret's id or path) and lays the fields over `data` (compact JSON object); other fields stay.
    ///
    /// # Errors
    /// Whatever the error, hand it on: it may be how the pipeline hears that a value has to be made first.
    pub(crate) fn generated(&mut self, subject: &str, recipe: &Recipe, data: &str) -> Result<SecretString> {
        let quick;
        let fields = if !recipe.is_slow() {
            quick = recipe.generate(&*self.vault.entropy, self.now).map_err(Error::internal)?;
            &quick
        } else if self.making.rehearsal {
            quick = recipe.outputs().map(|name| (name.to_owned(), SecretString::new(String::new()))).collect();
            &quick
        } else {
            match self.making.made.get(subject) {
                Some(made) if made.recipe == *recipe => made.values.as_ref().map_err(Clone::clone)?,
                _ => {
                    if self.making.turns < MOST_TURNS {
                        self.making.lacking.insert(subject.to_owned(), recipe.clone());
                    }
                    return Err(Error::internal("the recipe changed each time its values were made"));
                }
            }
        };
        let text = recipe::overlay(data, fields).ok_or_else(|| Error::internal("stored data is no object"))?;
        Ok(SecretString::new(text))
    }
}

impl Vault {
    /// Makes what a run lacked, for the next one. `None` when it lacked nothing: its result stands.
    pub(crate) async fn make(self: &Arc<Self>, after: Making) -> Option<Making> {
        if !after.lacks_something() {
            return None;
        }
        let mut under_way = Vec::with_capacity(after.lacking.len());
        for (subject, recipe) in after.lacking {
            let place = Arc::clone(&self.makers).acquire_owned().await;
            let (vault, making) = (Arc::clone(self), recipe.clone());
            let values = tokio::task::spawn_blocking(move || {
                // In here, because a client that goes away does not end the work.
                let _place = place;
                making.generate(&*vault.entropy, vault.clock.now()).map_err(Error::internal)
            });
            under_way.push((subject, recipe, values));
        }
        let mut made = after.made;
        for (subject, recipe, values) in under_way {
            let values = values.await.unwrap_or_else(|panicked| Err(Error::internal(panicked)));
            made.insert(subject, Arc::new(Made { recipe, values }));
        }
        Some(Making { made, turns: after.turns + 1, ..Making::default() })
    }
}

#[cfg(test)]
mod tests;
