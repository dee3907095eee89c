//! Which address a request came from (contract 12 section 4, `TRUSTED_PROXIES`).

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use ipnet::IpNet;

/// The rightmost address of `X-Forwarded-For` (or `Forwarded`) that is no trusted proxy, if the peer is one; else the peer. What
/// stands further left was written by whoever sent the request and is believed by nobody.
///
/// A proxy writes one of the two headers and passes the other on as the client sent it, and we can't know which. Where both are
/// there and do not agree, neither is believed.
pub(crate) fn client_address(peer: Option<SocketAddr>, headers: &HeaderMap, trusted: &[IpNet]) -> Option<IpAddr> {
    let peer = peer?.ip().to_canonical();
    let is_trusted = |ip: &IpAddr| trusted.iter().any(|net| net.contains(ip));
    if !is_trusted(&peer) {
        return Some(peer);
    }
    let nearest = |name: &str, read: fn(&str) -> Option<IpAddr>| {
        let mut nearest = peer;
        for hop in hops(headers, name)?.iter().rev() {
            // An entry that is no address breaks the chain: nothing left of it can be trusted.
            let Some(ip) = read(hop) else { break };
            nearest = ip;
            if !is_trusted(&ip) {
                break;
            }
        }
        Some(nearest)
    };
    match (nearest("x-forwarded-for", address), nearest("forwarded", node)) {
        (Some(simple), Some(standard)) if simple != standard => Some(peer),
        (Some(ip), _) | (None, Some(ip)) => Some(ip),
        (None, None) => Some(peer),
    }
}

/// The entries of all headers of this name, in their order; `None` without any.
fn hops(headers: &HeaderMap, name: &str) -> Option<Vec<String>> {
    let values = headers.get_all(name).iter();
    let texts = values.map(|value| value.to_str().unwrap_or("?"));
    let hops: Vec<String> = texts.flat_map(|text| text.split(',').map(|hop| hop.trim().to_owned())).collect();
    (!hops.is_empty()).then_some(hops)
}

/// `for=192.0.2.1;proto=https`.
fn node(hop: &str) -> Option<IpAddr> {
    let parts = hop.split(';').map(str::trim);
    let (_, node) = parts.filter_map(|part| part.split_once('=')).find(|(name, _)| name.eq_ignore_ascii_case("for"))?;
    address(node.trim_matches('"'))
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.
fn address(text: &str) -> Option<IpAddr> {
    let plain = text.parse::<IpAddr>().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|socket| socket.ip());
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    plain.or_else(with_port).or_else(bracketed).map(|ip: IpAddr| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen<'a>(peer: &str, sent: impl IntoIterator<Item = (&'static str, &'a str)>) -> String {
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.append(name, value.parse().unwrap());
        }
        client_address(Some(peer.parse().unwrap()), &headers, &trusted).unwrap().to_string()
    }

    /// Y-9
    #[test]
    fn y_9_only_trusted_peers_are_believed_and_only_up_to_the_first_stranger() {
        assert_eq!(seen("192.0.2.7:1", Some(("x-forwarded-for", "1.2.3.4"))), "192.0.2.7");
        assert_eq!(seen("10.0.0.1:1", Some(("x-forwarded-for", "6.6.6.6, 1.2.3.4, 10.0.0.9"))), "1.2.3.4");
        assert_eq!(seen("10.0.0.1:1", Some(("x-forwarded-for", "6.6.6.6, junk"))), "10.0.0.1");
        assert_eq!(seen("10.0.0.1:1", Some(("forwarded", "for=\"[2001:db8::1]:80\";proto=https"))), "2001:db8::1");
        assert_eq!(seen("[::1]:1", Some(("x-forwarded-for", "::ffff:1.2.3.4"))), "1.2.3.4");
        assert_eq!(seen("10.0.0.1:1", None), "10.0.0.1");
    }

    #[test]
    fn a_header_that_the_proxy_does_not_write_chooses_no_address() {
        let both = |simple, standard| seen("10.0.0.1:1", [("x-forwarded-for", simple), ("forwarded", standard)]);
        assert_eq!(both("6.6.6.6", "for=1.2.3.4"), "10.0.0.1");
        assert_eq!(both("6.6.6.6", "junk"), "10.0.0.1");
        assert_eq!(both("", "for=1.2.3.4"), "10.0.0.1");
        assert_eq!(both("6.6.6.6, 1.2.3.4", "for=7.7.7.7, for=\"1.2.3.4:80\""), "1.2.3.4");
        assert_eq!(both("1.2.3.4, 10.0.0.9", "for=1.2.3.4"), "1.2.3.4");
        let lines = [("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "1.2.3.4")];
        assert_eq!(seen("10.0.0.1:1", lines), "1.2.3.4");
    }
}
