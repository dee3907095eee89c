//! `scaivault init`: the first start without a server (contract 02 section 8).

use scaivault_service::SealOrError;
use scaivault_store::instance;

use super::args::InitArguments;
use super::environment::Flags;
use super::unwritten;
use crate::failure::Failure;
use crate::first_token::{self, Place};
use crate::{output, process, wiring};

pub(super) fn run(arguments: &InitArguments) -> Result<(), Failure> {
    let (config, warnings) = Flags::from(&arguments.data).configuration()?;
    for warning in warnings {
        output::notice(format_args!("scaivault: warning: {warning}"));
    }
    process::harden();
    let store = wiring::open_store(&config)?;
    if store.read(instance::exists)? {
        return Err(Failure::general(format!(
            "{} is initialised already; nothing was changed",
            wiring::database_shown(&config)
        )));
    }
    let place = Place::settle(config.init_token_file.as_ref())?;
    let vault = wiring::vault(&config, store);
    let first = match vault.initialise() {
        Ok(first) => first,
        Err(error) => {
            place.abandon();
            return Err(match error {
                SealOrError::Seal(error) => Failure::general(format!("not initialised: {error}")),
                SealOrError::Error(error) => error.into(),
            });
        }
    };
    let text = if arguments.json {
        first_token::as_json(&first, place)?
    } else {
        first_token::as_text(&first, place, &first_token::url(&config.listen))?
    };
    vault.store().close();
    output::result(&text).map_err(unwritten)
}
