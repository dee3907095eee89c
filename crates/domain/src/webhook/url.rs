//! Where a webhook may point, as far as its text tells.

use std::net::IpAddr;

use url::{Host, Url};

const MAX_CHARS: usize = 2048;

/// An absolute `https` or `http` URL with a host and without user info.
///
/// Read by the same library that the sender uses: `https://0x7f.1/` is 127.0.0.1 to both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetUrl {
    given: String,
    url: Url,
}

/// What the URL leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UrlHost {
    /// Written out: there is nothing to resolve.
    Address(IpAddr),
    Name(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    #[error("must be an https:// URL")]
    NoUrl,
    #[error("must have at most 2048 characters")]
    TooLong,
    #[error("must not hold a user name or a password")]
    UserInfo,
}

impl TargetUrl {
    /// # Errors
    /// 422.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        if text.chars().count() > MAX_CHARS {
            return Err(UrlError::TooLong);
        }
        // The library drops blanks at the ends and line breaks anywhere; what is stored is what was given.
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(UrlError::NoUrl);
        }
        let url = Url::parse(text).map_err(|_| UrlError::NoUrl)?;
        if !matches!(url.scheme(), "https" | "http") || url.host().is_none() {
            return Err(UrlError::NoUrl);
        }
        if !url.username().is_empty() || url.password().is_some() || has_user_info(text) {
            return Err(UrlError::UserInfo);
        }
        Ok(Self { given: text.to_owned(), url })
    }

    /// As it was given.
    pub fn as_str(&self) -> &str {
        &self.given
    }

    /// Whether it asks for plain HTTP.
    pub fn is_plain(&self) -> bool {
        self.url.scheme() == "http"
    }

    pub fn host(&self) -> UrlHost {
        match self.url.host() {
            Some(Host::Ipv4(ip)) => UrlHost::Address(IpAddr::V4(ip)),
            Some(Host::Ipv6(ip)) => UrlHost::Address(IpAddr::V6(ip)),
            Some(Host::Domain(name)) => UrlHost::Name(name.to_owned()),
            None => UrlHost::Name(String::new()),
        }
    }
}

/// An empty one (`https://@host`) leaves no trace in the parsed URL.
fn has_user_info(text: &str) -> bool {
    let rest = text.split_once(':').map(|(_, rest)| rest.trim_start_matches(['/', '\\'])).unwrap_or_default();
    rest.split(['/', '\\', '?', '#']).next().unwrap_or_default().contains('@')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_https_and_has_no_user() {
        for good in
            ["https://hooks.example/x", "https://hooks.example:8443/a?b=c#d", "HTTPS://Hooks.Example", "https://[::1]/"]
        {
            assert_eq!(TargetUrl::parse(good).unwrap().as_str(), good);
        }
        assert!(TargetUrl::parse("http://hooks.example/").unwrap().is_plain());
        assert!(!TargetUrl::parse("HTTPS://hooks.example/").unwrap().is_plain());
        for bad in [
            "",
            "hooks.example",
            "ftp://hooks.example/",
            "file:///etc/passwd",
            "https://",
            "https:// x/",
            "https://a\n.b/",
        ] {
            assert_eq!(TargetUrl::parse(bad), Err(UrlError::NoUrl), "{bad}");
        }
        for user in ["https://u@h.example/", "https://u:p@h.example/", "https://@h.example/", "https://:@h.example/"] {
            assert_eq!(TargetUrl::parse(user), Err(UrlError::UserInfo), "{user}");
        }
        assert!(TargetUrl::parse("https://h.example/a@b?c=d@e").is_ok());
        let longest = format!("https://h.example/{}", "x".repeat(2048 - 18));
        assert!(TargetUrl::parse(&longest).is_ok());
        assert_eq!(TargetUrl::parse(&format!("{longest}x")), Err(UrlError::TooLong));
    }

    // E-7
    #[test]
    fn an_address_is_found_in_every_spelling() {
        let loopback = UrlHost::Address("127.0.0.1".parse().unwrap());
        for spelling in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "127.0.0.1.",
            "%3127.0.0.1",
            "１２７.0.0.1",
        ] {
            assert_eq!(TargetUrl::parse(&format!("https://{spelling}/")).unwrap().host(), loopback, "{spelling}");
        }
        let mapped = TargetUrl::parse("https://[::ffff:127.0.0.1]/").unwrap().host();
        assert_eq!(mapped, UrlHost::Address("::ffff:127.0.0.1".parse().unwrap()));
        assert_eq!(TargetUrl::parse("https://localhost/").unwrap().host(), UrlHost::Name("localhost".to_owned()));
    }
}
