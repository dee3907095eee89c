//! The log: lines on standard error, as JSON or as text (contract 12 section 4).

use std::io::IsTerminal as _;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{Log, LogFormat, LogLevel};

/// Starts logging and takes over the messages of panics. The first call counts.
pub(crate) fn start(log: Log) {
    let layer = match log.format {
        LogFormat::Json => tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .with_writer(std::io::stderr)
            .boxed(),
        LogFormat::Text => tracing_subscriber::fmt::layer()
            .with_ansi(std::io::stderr().is_terminal())
            .with_writer(std::io::stderr)
            .boxed(),
    };
    // A second start (there is none in this program) would find a logger in place, which is as good.
    let _ = tracing_subscriber::registry().with(layer.with_filter(filter(log.level))).try_init();
    std::panic::set_hook(Box::new(|panic| {
        // Never the payload: what a panic formats may be a secret's value.
        let location = panic.location().map(ToString::to_string);
        let thread = std::thread::current().name().map(str::to_owned);
        tracing::error!(location, thread, "a part of the server panicked; the work it did was given up");
    }));
}

/// Our own lines at the level that was asked for. Libraries are heard from warnings on: their lower levels are about their own
/// insides, and nobody has checked what values those show.
fn filter(level: LogLevel) -> Targets {
    let ours = match level {
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
    };
    Targets::new().with_default(ours.min(LevelFilter::WARN)).with_target("scaivault", ours)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level;

    #[test]
    fn libraries_are_quieter_than_we_are() {
        let debug = filter(LogLevel::Debug);
        assert!(debug.would_enable("scaivault", &Level::DEBUG));
        assert!(debug.would_enable("scaivault_service::vault", &Level::DEBUG));
        assert!(!debug.would_enable("hyper::proto", &Level::INFO));
        assert!(debug.would_enable("rustls", &Level::WARN));
        let error = filter(LogLevel::Error);
        assert!(!error.would_enable("scaivault_http", &Level::WARN) && !error.would_enable("h2", &Level::WARN));
    }
}
