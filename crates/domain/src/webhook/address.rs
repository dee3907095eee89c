//! Which addresses the server may call: a webhook must not become a way into the network that the server stands in.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::UrlHost;

/// What kind of address it is. Everything but [`AddressClass::Public`] is refused unless an operator admits it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressClass {
    Public,
    Loopback,
    Private,
    LinkLocal,
    /// Where clouds answer questions of their machines.
    Metadata,
    /// Shared between the customers of a carrier (RFC 6598).
    CarrierNat,
    Multicast,
    Unspecified,
    /// Set aside by IANA for documentation, benchmarks, protocols, and what is not assigned.
    Reserved,
}

impl AddressClass {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::LinkLocal => "link-local",
            Self::Metadata => "metadata",
            Self::CarrierNat => "carrier-grade NAT",
            Self::Multicast => "multicast",
            Self::Unspecified => "unspecified",
            Self::Reserved => "reserved",
        }
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(a: u16, b: u16, c: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), prefix)
}

use AddressClass::{CarrierNat, LinkLocal, Loopback, Metadata, Multicast, Private, Public, Reserved, Unspecified};

/// The first row that has an address names its class (IANA's special-purpose registry, and the metadata services of the clouds).
const V4: [(Ipv4Net, AddressClass); 19] = [
    (v4(169, 254, 169, 254, 32), Metadata), // AWS, Google, Azure, most others
    (v4(169, 254, 170, 2, 32), Metadata),   // AWS, containers
    (v4(100, 100, 100, 200, 32), Metadata), // Alibaba
    (v4(192, 0, 0, 192, 32), Metadata),     // Oracle
    (v4(168, 63, 129, 16, 32), Metadata),   // Azure: a public address that only Azure's own machines reach
    (v4(0, 0, 0, 0, 8), Unspecified),
    (v4(127, 0, 0, 0, 8), Loopback),
    (v4(10, 0, 0, 0, 8), Private),
    (v4(172, 16, 0, 0, 12), Private),
    (v4(192, 168, 0, 0, 16), Private),
    (v4(169, 254, 0, 0, 16), LinkLocal),
    (v4(100, 64, 0, 0, 10), CarrierNat),
    (v4(192, 0, 0, 0, 24), Reserved),
    (v4(192, 0, 2, 0, 24), Reserved),
    (v4(192, 88, 99, 0, 24), Reserved),
    (v4(198, 18, 0, 0, 15), Reserved),
    (v4(198, 51, 100, 0, 24), Reserved),
    (v4(203, 0, 113, 0, 24), Reserved),
    (v4(224, 0, 0, 0, 4), Multicast),
];
/// The old class E, with the broadcast address.
const V4_FUTURE: Ipv4Net = v4(240, 0, 0, 0, 4);

const V6: [(Ipv6Net, AddressClass); 10] = [
    (Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 128), Unspecified),
    (Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128), Loopback),
    (Ipv6Net::new_assert(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), 128), Metadata), // AWS
    (Ipv6Net::new_assert(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254), 128), Metadata),  // Google
    (v6(0xfc00, 0, 0, 7), Private),
    (v6(0xfe80, 0, 0, 10), LinkLocal),
    (v6(0xff00, 0, 0, 8), Multicast),
    (v6(0x2001, 0, 0, 23), Reserved), // Teredo, ORCHID, benchmarks: protocols, not hosts
    (v6(0x2001, 0xdb8, 0, 32), Reserved),
    (v6(0x3fff, 0, 0, 20), Reserved),
];
/// Global unicast; outside it nothing is assigned to hosts.
const V6_GLOBAL: Ipv6Net = v6(0x2000, 0, 0, 3);
/// Well-known prefix of NAT64 (RFC 6052): the last 32 bits are the IPv4 address that is meant.
const NAT64: Ipv6Net = v6(0x64, 0xff9b, 0, 96);
/// 6to4 (RFC 3056): the IPv4 address follows the prefix.
const SIX_TO_FOUR: Ipv6Net = v6(0x2002, 0, 0, 16);

/// The class of an address as it is, whatever it leads to.
fn class_of_plain(address: IpAddr) -> AddressClass {
    match address {
        IpAddr::V4(ip) => {
            let named = V4.iter().find(|(net, _)| net.contains(&ip)).map(|(_, class)| *class);
            named.unwrap_or(if V4_FUTURE.contains(&ip) { Reserved } else { Public })
        }
        IpAddr::V6(ip) => {
            let named = V6.iter().find(|(net, _)| net.contains(&ip)).map(|(_, class)| *class);
            named.unwrap_or(if V6_GLOBAL.contains(&ip) { Public } else { Reserved })
        }
    }
}

/// The IPv4 address that a packet to this one ends at, where a translator stands in between.
fn embedded(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(ip) = address else { return None };
    let [_, a, b, _, _, _, c, d] = ip.segments();
    let of = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    if NAT64.contains(&ip) {
        Some(of(c, d))
    } else if SIX_TO_FOUR.contains(&ip) {
        Some(of(a, b))
    } else {
        None
    }
}

/// Every address that a connection to this one may reach: itself, without the IPv4-mapped disguise, and what is embedded in it.
fn faces(address: IpAddr) -> (IpAddr, Option<IpAddr>) {
    let address = address.to_canonical();
    (address, embedded(address).map(IpAddr::V4))
}

/// Which addresses may be called (`WEBHOOK_ALLOWED_CIDRS`, `WEBHOOK_DENIED_CIDRS`, `WEBHOOK_ALLOW_HTTP`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressRules {
    /// Admits what would be refused.
    pub allowed: Vec<IpNet>,
    /// Refuses more, and wins.
    pub denied: Vec<IpNet>,
    /// Plain HTTP to any admitted address, not only to loopback. For development.
    pub allow_http: bool,
}

impl AddressRules {
    /// # Errors
    /// What speaks against calling it; [`AddressClass::Public`] when an operator denied it.
    pub fn check(&self, address: IpAddr) -> Result<(), AddressClass> {
        let (address, embedded) = faces(address);
        self.check_face(address, embedded.is_some())?;
        embedded.map_or(Ok(()), |embedded| self.check_face(embedded, false))
    }

    /// `translated`: leads to another address, which is checked on its own account.
    fn check_face(&self, address: IpAddr, translated: bool) -> Result<(), AddressClass> {
        let class = if translated { Public } else { class_of_plain(address) };
        let within = |nets: &[IpNet]| nets.iter().any(|net| net.contains(&address));
        if within(&self.denied) || (class != Public && !within(&self.allowed)) { Err(class) } else { Ok(()) }
    }

    /// Whether plain HTTP may go to a host, for all that is known before its name is resolved.
    pub fn may_admit_plain(&self, host: &UrlHost) -> bool {
        let loopback = [IpNet::V4(v4(127, 0, 0, 0, 8)), IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128))];
        let overlap = |one: &IpNet, other: &IpNet| one.contains(other) || other.contains(one);
        self.allow_http
            || match host {
                UrlHost::Address(address) => self.admits_plain(*address) && self.check(*address).is_ok(),
                UrlHost::Name(_) => self.allowed.iter().any(|net| loopback.iter().any(|home| overlap(net, home))),
            }
    }

    /// Whether plain HTTP may go to an address that [`AddressRules::check`] admits.
    pub fn admits_plain(&self, address: IpAddr) -> bool {
        self.allow_http || address.to_canonical().is_loopback()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn refused(text: &str) -> Option<AddressClass> {
        AddressRules::default().check(ip(text)).err()
    }

    #[test]
    fn e_7_only_public_addresses_are_called() {
        let table = [
            ("127.0.0.1", Loopback),
            ("127.255.0.9", Loopback),
            ("::1", Loopback),
            ("::ffff:127.0.0.1", Loopback),
            ("0.0.0.0", Unspecified),
            ("0.1.2.3", Unspecified),
            ("::", Unspecified),
            ("10.0.0.1", Private),
            ("172.16.0.1", Private),
            ("172.31.255.255", Private),
            ("192.168.1.1", Private),
            ("::ffff:192.168.1.1", Private),
            ("fc00::1", Private),
            ("fdff::1", Private),
            ("169.254.1.1", LinkLocal),
            ("fe80::1", LinkLocal),
            ("febf::1", LinkLocal),
            ("169.254.169.254", Metadata),
            ("::ffff:169.254.169.254", Metadata),
            ("fd00:ec2::254", Metadata),
            ("100.100.100.200", Metadata),
            ("192.0.0.192", Metadata),
            ("168.63.129.16", Metadata),
            ("100.64.0.1", CarrierNat),
            ("100.127.255.255", CarrierNat),
            ("224.0.0.1", Multicast),
            ("ff02::1", Multicast),
            ("192.0.2.1", Reserved),
            ("198.19.0.1", Reserved),
            ("240.0.0.1", Reserved),
            ("255.255.255.255", Reserved),
            ("2001:db8::1", Reserved),
            ("2001::1", Reserved),
            ("::127.0.0.1", Reserved),
            ("64:ff9b:1::7f00:1", Reserved),
            ("fec0::1", Reserved),
            ("64:ff9b::7f00:1", Loopback),
            ("64:ff9b::a9fe:a9fe", Metadata),
            ("64:ff9b::10.0.0.1", Private),
            ("2002:7f00:1::", Loopback),
            ("2002:a00:1::5", Private),
        ];
        for (text, class) in table {
            assert_eq!(refused(text), Some(class), "{text}");
        }
        for public in
            ["1.1.1.1", "172.32.0.1", "172.15.0.1", "100.63.0.1", "100.128.0.1", "168.63.129.17", "223.255.255.1"]
        {
            assert_eq!(refused(public), None, "{public}");
        }
        for public in ["2606:4700::1111", "2a00::1", "64:ff9b::1.1.1.1", "2002:101:101::1", "2001:200::1"] {
            assert_eq!(refused(public), None, "{public}");
        }
    }

    #[test]
    fn an_operator_admits_and_denies_and_denying_wins() {
        let nets = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpNet>>();
        let rules = AddressRules {
            allowed: nets(&["127.0.0.0/8", "10.0.0.0/8", "::1/128"]),
            denied: nets(&["10.6.0.0/16", "1.1.1.0/24"]),
            allow_http: false,
        };
        for admitted in ["127.0.0.1", "::ffff:127.0.0.1", "::1", "10.5.0.1", "8.8.8.8", "64:ff9b::a05:1"] {
            assert_eq!(rules.check(ip(admitted)), Ok(()), "{admitted}");
        }
        for (denied, class) in [
            ("10.6.0.1", Private),
            ("::ffff:10.6.0.1", Private),
            ("64:ff9b::a06:1", Private),
            ("1.1.1.1", Public),
            ("64:ff9b::101:101", Public),
            ("192.168.0.1", Private),
        ] {
            assert_eq!(rules.check(ip(denied)), Err(class), "{denied}");
        }
        let translators = AddressRules { denied: nets(&["64:ff9b::/96"]), ..AddressRules::default() };
        assert!(translators.check(ip("64:ff9b::101:101")).is_err());
    }

    // E-8
    #[test]
    fn plain_http_stays_on_this_machine() {
        let rules = AddressRules::default();
        assert!(rules.admits_plain(ip("127.0.0.1")) && rules.admits_plain(ip("::ffff:127.1.2.3")));
        assert!(!rules.admits_plain(ip("10.0.0.1")) && !rules.admits_plain(ip("1.1.1.1")));
        assert!(AddressRules { allow_http: true, ..rules.clone() }.admits_plain(ip("10.0.0.1")));
        let (home, name) = (UrlHost::Address(ip("127.0.0.1")), UrlHost::Name("localhost".to_owned()));
        assert!(!rules.may_admit_plain(&home) && !rules.may_admit_plain(&name));
        let admitting = |net: &str| AddressRules { allowed: vec![net.parse().unwrap()], ..AddressRules::default() };
        for net in ["127.0.0.0/8", "127.0.0.1/32", "0.0.0.0/0"] {
            assert!(admitting(net).may_admit_plain(&home) && admitting(net).may_admit_plain(&name), "{net}");
        }
        assert!(!admitting("127.0.0.2/32").may_admit_plain(&home) && !admitting("10.0.0.0/8").may_admit_plain(&name));
        assert!(admitting("::1/128").may_admit_plain(&name));
    }

    proptest! {
        /// What the standard library calls special is never called, in whichever disguise it comes.
        #[test]
        fn nothing_special_passes(bits: u32) {
            let v4 = Ipv4Addr::from_bits(bits);
            let special = v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_multicast()
                || v4.is_broadcast() || v4.is_unspecified() || v4.is_documentation();
            let rules = AddressRules::default();
            let plain = rules.check(IpAddr::V4(v4));
            prop_assert!(!special || plain.is_err());
            let [a, b, c, d] = v4.octets();
            let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
            for disguise in [
                v4.to_ipv6_mapped(),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
            ] {
                prop_assert_eq!(rules.check(IpAddr::V6(disguise)), plain);
            }
        }

        #[test]
        fn nothing_special_passes_in_ipv6(bits: u128) {
            let v6 = Ipv6Addr::from_bits(bits);
            let global = bits >> 125 == 1;
            let translated = NAT64.contains(&v6) || v6.to_ipv4_mapped().is_some();
            prop_assert!(global || translated || AddressRules::default().check(IpAddr::V6(v6)).is_err());
        }
    }
}
