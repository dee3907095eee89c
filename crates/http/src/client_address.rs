//! Which address a request came from (contract 12 section 4, `TRUSTED_PROXIES`).

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use ipnet::IpNet;

/// The rightmost address of `X-Forwarded-For` (or `Forwarded`) that is no trusted proxy, if the peer is one; else the peer. What
/// stands further left was written by whoever sent the request and is believed by nobody.
pub(crate) fn client_address(peer: Option<SocketAddr>, headers: &HeaderMap, trusted: &[IpNet]) -> Option<IpAddr> {
    let peer = peer?.ip().to_canonical();
    let is_trusted = |ip: &IpAddr| trusted.iter().any(|net| net.contains(ip));
    if !is_trusted(&peer) {
        return Some(peer);
    }
    let mut nearest = peer;
    for hop in forwarded(headers).into_iter().rev() {
        // An entry that is no address breaks the chain: nothing left of it can be trusted.
        let Some(ip) = hop else { break };
        nearest = ip;
        if !is_trusted(&ip) {
            break;
        }
    }
    Some(nearest)
}

fn forwarded(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let listed = |name: &str| -> Vec<String> {
        let values = headers.get_all(name).iter();
        values.flat_map(|value| value.to_str().unwrap_or("?").split(',').map(|hop| hop.trim().to_owned()).collect::<Vec<_>>()).collect()
    };
    let simple = listed("x-forwarded-for");
    if !simple.is_empty() {
        return simple.iter().map(|hop| address(hop)).collect();
    }
    listed("forwarded")
        .iter()
        .map(|hop| {
            let parts = hop.split(';').map(str::trim);
            let node = parts.filter_map(|part| part.split_once('=')).find(|(name, _)| name.eq_ignore_ascii_case("for"));
            node.and_then(|(_, node)| address(node.trim_matches('"')))
        })
        .collect()
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

    fn seen(peer: &str, header: Option<(&'static str, &str)>) -> String {
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
        let mut headers = HeaderMap::new();
        if let Some((name, value)) = header {
            headers.insert(name, value.parse().unwrap());
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
}
