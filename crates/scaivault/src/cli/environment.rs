//! The configuration of a command: its flags over the process's environment.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::args::{DataArguments, ServerArguments};
use crate::config::{Config, ConfigError, Warning};

/// A variable of this process. An empty one counts as not set.
#[allow(clippy::disallowed_methods)] // For the client's settings, which are read once too.
pub(super) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Flags as the variables they stand for.
#[derive(Default)]
pub(super) struct Flags(BTreeMap<&'static str, OsString>);

impl From<&DataArguments> for Flags {
    fn from(arguments: &DataArguments) -> Self {
        let dir = arguments.data_dir.as_ref().map(|dir| ("DATA_DIR", dir.clone().into_os_string()));
        Self(dir.into_iter().collect())
    }
}

impl From<&ServerArguments> for Flags {
    fn from(arguments: &ServerArguments) -> Self {
        let mut flags = Self::from(&arguments.data);
        if let Some(address) = arguments.listen {
            flags.0.insert("BIND_ADDRESS", address.to_string().into());
        }
        flags
    }
}

impl Flags {
    /// Reads the configuration. Flags win over variables.
    ///
    /// # Errors
    /// The first bad setting.
    #[allow(clippy::disallowed_methods)] // This file is the one place that reads the environment.
    pub(super) fn configuration(&self) -> Result<(Config, Vec<Warning>), ConfigError> {
        let names: Vec<String> = std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned()).collect();
        self.configuration_over(&|name| std::env::var_os(name), &names)
    }

    fn configuration_over(
        &self,
        environment: &dyn Fn(&str) -> Option<OsString>,
        names: &[String],
    ) -> Result<(Config, Vec<Warning>), ConfigError> {
        Config::from_env(&|name| self.0.get(name).cloned().or_else(|| environment(name)), names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    #[test]
    fn flags_win_over_variables() {
        let environment = |name: &str| match name {
            "DATA_DIR" => Some(OsString::from("/from-environment")),
            "BIND_ADDRESS" => Some(OsString::from("127.0.0.1:1")),
            _ => None,
        };
        let data = DataArguments { data_dir: Some(PathBuf::from("/from-flag")) };
        let flags = Flags::from(&ServerArguments { data, listen: "127.0.0.1:2".parse().ok() });
        let (config, _) = flags.configuration_over(&environment, &[]).unwrap();
        assert_eq!((config.data_dir, config.listen.address.port()), (PathBuf::from("/from-flag"), 2));
        let (config, _) = Flags::default().configuration_over(&environment, &[]).unwrap();
        assert_eq!((config.data_dir, config.listen.address.port()), (PathBuf::from("/from-environment"), 1));
    }
}
