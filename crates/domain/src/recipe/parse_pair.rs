//! Reads the settings of the generators with two outputs.

use scaivault_crypto::bcrypt::MAX_PASSWORD_LEN;
use scaivault_crypto::key_pair::{Curve, RsaBits};
use serde_json::Value;

use super::RecipeFaultKind as Kind;
use super::pair::{Pair, PairKind};
use super::parse::{BAD_NAME, Noted, Settings, is_name, string};

/// The longest comment of an SSH key, in characters.
const MAX_COMMENT: usize = 256;
/// Fewer is no bcrypt; more takes minutes.
const ROUNDS: std::ops::RangeInclusive<u32> = 4..=16;
const DEFAULT_ROUNDS: u32 = 12;

/// `generator` is one with two outputs; `name` is the field's, for the default name of the second output.
pub(super) fn pair(generator: &str, name: &str, config: &mut Settings<'_>) -> Result<Pair, Noted> {
    let kind = match generator {
        "rsa_keypair" => rsa(config),
        "ec_keypair" => ec(config),
        "ssh_keypair" => ssh(config),
        _ => bcrypt(config),
    };
    let setting = if generator == "bcrypt_hash" { "hash_field" } else { "public_field" };
    let second = config.get(setting, "a string", string);
    let kind = kind?;
    let second = second?.unwrap_or_else(|| kind.default_second(name));
    // The default too: it is longer than the name, and the name may be as long as names get.
    if is_name(&second) { Ok(Pair { kind, second }) } else { Err(config.fault(setting, Kind::Format, BAD_NAME)) }
}

fn rsa(config: &mut Settings<'_>) -> Result<PairKind, Noted> {
    match config.get("bits", "an integer", Value::as_i64)?.unwrap_or(2048) {
        2048 => Ok(PairKind::Rsa(RsaBits::Bits2048)),
        4096 => Ok(PairKind::Rsa(RsaBits::Bits4096)),
        _ => Err(config.fault("bits", Kind::Range, "must be 2048 or 4096")),
    }
}

fn ec(config: &mut Settings<'_>) -> Result<PairKind, Noted> {
    match config.get("curve", "a string", string)?.as_deref().unwrap_or("P-256") {
        "P-256" => Ok(PairKind::Ec(Curve::P256)),
        "P-384" => Ok(PairKind::Ec(Curve::P384)),
        _ => Err(config.fault("curve", Kind::Format, "must be one of P-256, P-384")),
    }
}

fn ssh(config: &mut Settings<'_>) -> Result<PairKind, Noted> {
    let key_type = config.get("key_type", "a string", string);
    let comment = config.get("comment", "a string", string).and_then(|given| {
        let comment = given.unwrap_or_default();
        // A line break would begin another line of `authorized_keys`, that is another key.
        if comment.chars().count() <= MAX_COMMENT && !comment.chars().any(char::is_control) {
            Ok(comment)
        } else {
            let message = format!("must have at most {MAX_COMMENT} characters and no control characters");
            Err(config.fault("comment", Kind::Format, &message))
        }
    });
    match key_type?.as_deref().unwrap_or("ed25519") {
        "ed25519" => Ok(PairKind::SshEd25519 { comment: comment? }),
        "rsa" => Ok(PairKind::SshRsa { comment: comment? }),
        _ => Err(config.fault("key_type", Kind::Format, "must be one of ed25519, rsa")),
    }
}

fn bcrypt(config: &mut Settings<'_>) -> Result<PairKind, Noted> {
    let length = config.length(u32::try_from(MAX_PASSWORD_LEN).unwrap_or_default());
    let rounds = config.number("rounds", DEFAULT_ROUNDS, ROUNDS);
    Ok(PairKind::Bcrypt { length: length?, rounds: rounds? })
}
