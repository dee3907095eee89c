use std::time::Instant;

use proptest::prelude::*;

use super::*;

fn glob(text: &str) -> Glob {
    Glob::parse(text).unwrap()
}

#[test]
fn g1_to_g22_the_contract_s_table() {
    let table: [(&str, &[&str], &[&str]); 22] = [
        /* G-1 */ ("app/db", &["app/db"], &["app/db/password"]),
        /* G-2 */ ("app/db/*", &["app/db/password", "app/db/user"], &["app/db/primary/password", "app/db"]),
        /* G-3 */ ("app/**", &["app/db", "app/db/password"], &["other/app/db", "app"]),
        /* G-4 */ ("**/ssl/*", &["app/ssl/cert", "service/ssl/key"], &["ssl/cert"]),
        /* G-5 */
        (
            "environments/production/**",
            &["environments/production/salesforce/api-key"],
            &["environments/production", "environments/staging/x"],
        ),
        /* G-6 */ ("secrets/*.key", &["secrets/tls.key", "secrets/.key"], &["secrets/key", "secrets/a/b.key"]),
        /* G-7 */
        ("integrations/salesforce/oauth", &["integrations/salesforce/oauth"], &["integrations/salesforce/oauth2"]),
        /* G-8 */ ("**", &["a", "a/b/c"], &[]),
        /* G-9 */ ("*", &["app"], &["app/db"]),
        /* G-10 */ ("**/db", &["app/db", "a/b/db"], &["db", "app/db/x"]),
        /* G-11 */ ("*/db", &["app/db"], &["db", "a/b/db"]),
        /* G-12 */
        ("app/**/password", &["app/password", "app/x/password", "app/x/y/password"], &["app/password/x", "password"]),
        /* G-13 */ ("app/d?", &["app/db", "app/d1"], &["app/d", "app/dba", "app/d/b"]),
        /* G-14 */ ("App/**", &["App/db"], &["app/db"]),
        /* G-15 */ ("app/*/ssl/**", &["app/x/ssl/k", "app/x/ssl/k/l"], &["app/ssl/k", "app/x/ssl"]),
        /* G-16 */ ("a*c/d", &["ac/d", "abbc/d"], &["a/c/d", "abcd/d"]),
        /* G-17 */ ("env-?/**/k*", &["env-1/k", "env-1/a/b/key"], &["env-12/k", "env-1/a/b"]),
        /* G-18 */ ("**/*", &["a/b", "a/b/c"], &["a"]),
        /* G-19 */ ("**/**", &["a/b", "a/b/c"], &["a"]),
        /* G-20 */ ("a/**/**/b", &["a/b", "a/x/b", "a/x/y/b"], &["a/x", "b"]),
        /* G-21 */ ("a.b/*", &["a.b/c"], &["axb/c"]),
        /* G-22 */ ("*-??/**", &["eu-01/x"], &["eu-1/x", "eu-01"]),
    ];
    for (pattern, hits, misses) in table {
        for path in hits {
            assert!(glob(pattern).matches(path), "{pattern} must match {path}");
            assert!(naive(pattern, path), "naive: {pattern} must match {path}");
        }
        for path in misses {
            assert!(!glob(pattern).matches(path), "{pattern} must not match {path}");
            assert!(!naive(pattern, path), "naive: {pattern} must not match {path}");
        }
    }
}

#[test]
fn g23_invalid_patterns() {
    let table = [
        ("", "empty"),
        ("/app", "empty_segment"),
        ("app/", "empty_segment"),
        ("app//db", "empty_segment"),
        ("app/**b", "double_star"),
        ("a**", "double_star"),
        ("***", "double_star"),
        ("app/[ab]", "character"),
        ("app/{a,b}", "character"),
        ("app/..", "dot_segment"),
        ("app/ db", "character"),
        ("!app", "character"),
        ("app\\db", "character"),
        ("app/%2a", "character"),
        (&"a".repeat(513), "too_long"),
        ("./a", "dot_segment"),
        ("é", "character"),
        ("a\0", "character"),
    ];
    for (pattern, reason) in table {
        assert_eq!(Glob::parse(pattern), Err(GlobError { reason }), "{pattern:?}");
    }
    assert!(Glob::parse(&"a".repeat(512)).is_ok());
}

#[test]
fn literal_prefixes() {
    let table = [
        ("app/db", "app/db"),
        ("app/**", "app/"),
        ("app/d?", "app/d"),
        ("**", ""),
        ("*/x", ""),
        ("a/b*/c", "a/b"),
        ("a/**/b", "a/"),
    ];
    for (pattern, prefix) in table {
        assert_eq!(glob(pattern).literal_prefix(), prefix);
    }
    assert!(glob("**").is_match_all() && !glob("**/*").is_match_all());
}

#[test]
fn covering_prefixes_are_the_fewest() {
    let cover = |patterns: &[&str]| covering_prefixes(&patterns.iter().map(|text| glob(text)).collect::<Vec<_>>());
    assert_eq!(cover(&["b/*", "app/db/*", "app/**", "app/db/x", "b/c"]), ["app/", "b/"]);
    assert_eq!(cover(&["a-b/*", "a/x", "a*", "a/**"]), ["a"]);
    assert_eq!(cover(&["x/**", "**/y", "z"]), [""]);
    assert!(cover(&[]).is_empty());
}

#[test]
fn matching_stays_linear_where_backtracking_explodes() {
    let stars = format!("{}b", "a*".repeat(250));
    let deep_stars = format!("{}c", "**/a/".repeat(80));
    let mixed = format!("{}zz", "**/*a*a*b/".repeat(45));
    let long = "a".repeat(512);
    let deep = ["a"; 256].join("/");
    let deep_wide = ["aaaaaaaaaab"; 42].join("/");
    let start = Instant::now();
    for (pattern, path) in [(&stars, &long), (&deep_stars, &deep), (&mixed, &deep_wide)] {
        for _ in 0..20 {
            assert!(!glob(pattern).matches(path));
        }
    }
    // Backtracking would take longer than the universe is old; 60 x 512 x 512 steps are some tens of milliseconds unoptimised.
    assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
}

/// The contract's rules said as directly as possible.
pub(crate) fn naive(pattern: &str, path: &str) -> bool {
    fn segments(pattern: &[&str], path: &[&str], at_start: bool) -> bool {
        match pattern.split_first() {
            None => path.is_empty(),
            Some((&"**", rest)) => {
                let least = usize::from(at_start || rest.is_empty());
                (least..=path.len()).any(|count| segments(rest, &path[count..], false))
            }
            Some((first, rest)) => path.split_first().is_some_and(|(found, tail)| {
                segment(first.as_bytes(), found.as_bytes()) && segments(rest, tail, false)
            }),
        }
    }
    fn segment(pattern: &[u8], text: &[u8]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some((b'*', rest)) => (0..=text.len()).any(|count| segment(rest, &text[count..])),
            Some((first, rest)) => text
                .split_first()
                .is_some_and(|(found, tail)| (*first == b'?' || first == found) && segment(rest, tail)),
        }
    }
    segments(&pattern.split('/').collect::<Vec<_>>(), &path.split('/').collect::<Vec<_>>(), true)
}

/// Few letters, so that random patterns and paths meet.
pub(crate) fn patterns() -> impl Strategy<Value = String> {
    let part = prop_oneof![3 => Just("**".to_owned()), 2 => Just("*".to_owned()), 3 => "[ab]{1,2}", 3 => "([ab?]{1,2}|\\*[ab?]){1,3}\\*?"];
    proptest::collection::vec(part, 1..6).prop_map(|parts| parts.join("/"))
}

pub(crate) fn paths() -> impl Strategy<Value = String> {
    proptest::collection::vec("[ab]{1,4}", 1..7).prop_map(|parts| parts.join("/"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    // L-20
    #[test]
    fn l20_agrees_with_the_naive_matcher(pattern in patterns(), path in paths()) {
        prop_assert_eq!(glob(&pattern).matches(&path), naive(&pattern, &path));
    }

    #[test]
    fn what_matches_begins_with_the_literal_prefix_and_is_covered(pattern in patterns(), other in patterns(), path in paths()) {
        let globs = [glob(&pattern), glob(&other)];
        let covering = covering_prefixes(&globs);
        for glob in &globs {
            if glob.matches(&path) {
                prop_assert!(path.starts_with(glob.literal_prefix()));
                prop_assert_eq!(covering.iter().filter(|prefix| path.starts_with(prefix.as_str())).count(), 1);
            }
        }
    }

    #[test]
    fn no_text_breaks_the_parser(pattern in "[ab/.*?\\PC]{0,20}", path in "[ab/.]{0,20}") {
        if let Ok(glob) = Glob::parse(&pattern) {
            let _ = glob.matches(&path);
        }
    }
}

#[test]
fn common_ranges_lie_in_both() {
    let ranges = |list: &[&str]| list.iter().map(|&range| range.to_owned()).collect::<Vec<_>>();
    let common = |left: &[&str], right: &[&str]| super::common_ranges(&ranges(left), &ranges(right));
    assert_eq!(common(&[""], &["a/", "b/"]), ranges(&["a/", "b/"]));
    assert_eq!(common(&["b/c", "a/"], &["a/x", "a/b", "b/"]), ranges(&["a/b", "a/x", "b/c"]));
    assert_eq!(common(&["a/"], &["a/"]), ranges(&["a/"]));
    assert!(common(&["a/"], &["b/"]).is_empty() && common(&[], &[""]).is_empty());
}
