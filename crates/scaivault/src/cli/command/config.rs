//! `scaivault config`

use clap::Subcommand;
use serde_json::{Map, Value};

use crate::cli::settings::{File, NAMES, Settings, Shared, base_url};
use crate::cli::show::Table;
use crate::cli::unwritten;
use crate::failure::Failure;
use crate::output;

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Keep a setting: base_url, tenant_id or partner_id
    #[command(after_help = "\
Examples:
  scaivault config set base_url https://vault.example.com
  scaivault config set tenant_id ''                              removes it

The token is kept by `scaivault auth login`.")]
    Set { name: String, value: String },
    /// Print a setting as it holds now
    #[command(after_help = "Example:\n  scaivault config get base_url")]
    Get { name: String },
    /// List the settings as they hold now, and where each comes from
    #[command(after_help = "Example:\n  scaivault config list")]
    List,
}

pub(super) fn run(command: &Config, shared: &Shared) -> Result<(), Failure> {
    match command {
        Config::Set { name, value } => set(name, value),
        Config::Get { name } => get(name, shared),
        Config::List => list(shared),
    }
}

fn set(name: &str, value: &str) -> Result<(), Failure> {
    known(name)?;
    if name == "base_url" && !value.is_empty() {
        base_url(value)?;
    }
    let mut file = File::load()?;
    file.set(name, value);
    file.save().map(drop)
}

fn get(name: &str, shared: &Shared) -> Result<(), Failure> {
    known(name)?;
    let settings = Settings::load(shared)?;
    let Some((_, value, _)) = settings.given.iter().find(|(known, ..)| *known == name) else {
        return Err(Failure::not_found(format!("{name} is not set")));
    };
    output::result(&format!("{value}\n")).map_err(unwritten)
}

fn list(shared: &Shared) -> Result<(), Failure> {
    let settings = Settings::load(shared)?;
    let text = if shared.json {
        let values = settings.given.into_iter().map(|(name, value, _)| (name.to_owned(), Value::from(value)));
        format!("{}\n", Value::Object(values.collect::<Map<_, _>>()))
    } else {
        let row = |(name, value, origin): (&str, String, crate::cli::settings::Origin)| {
            vec![name.to_owned(), value, origin.as_str().to_owned()]
        };
        let rows = settings.given.into_iter().map(row).collect();
        Table::new("", &["name", "value", "from"]).lines(rows).to_string()
    };
    output::result(&text).map_err(unwritten)
}

fn known(name: &str) -> Result<(), Failure> {
    match name {
        "token" => Err(Failure::usage("the token is neither shown nor given as an argument: see scaivault auth login")),
        _ if NAMES.contains(&name) => Ok(()),
        _ => Err(Failure::usage(format!("no such setting; there are {}", NAMES.join(", ")))),
    }
}
