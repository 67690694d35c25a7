//! The full names under which a name is asked, in order: `search` and `ndots` of resolv.conf, as resolv.conf(5)
//! describes them. Pure.

use hickory_resolver::proto::rr::Name;

/// The full names to ask for `name`; empty if it is not a domain name.
pub(super) fn full_names(name: &str, search: &[Name], ndots: usize) -> Vec<Name> {
    // ASCII as it stands: underscores are fine (containers like them), and IDNA is the application's business, as it
    // is with getaddrinfo.
    let Ok(own) = Name::from_ascii(name) else {
        return Vec::new();
    };
    let mut as_it_is = own.clone();
    as_it_is.set_fqdn(true);
    if own.is_fqdn() {
        return vec![as_it_is];
    }
    let dots = name.bytes().filter(|byte| *byte == b'.').count();
    let mut names: Vec<_> = search.iter().filter_map(|domain| own.clone().append_domain(domain).ok()).collect();
    names.retain(|searched| *searched != as_it_is);
    let place = if dots >= ndots { 0 } else { names.len() };
    names.insert(place, as_it_is);
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(name: &str, ndots: usize) -> Vec<String> {
        let search = ["ns.svc.cluster.local.", "corp.example."].map(|domain| Name::from_ascii(domain).unwrap());
        full_names(name, &search, ndots).iter().map(Name::to_ascii).collect()
    }

    #[test]
    fn a_name_with_enough_dots_is_asked_as_it_is_first() {
        assert_eq!(asked("a.b", 1), ["a.b.", "a.b.ns.svc.cluster.local.", "a.b.corp.example."]);
    }

    #[test]
    fn a_name_with_too_few_dots_is_searched_first() {
        assert_eq!(asked("a.b", 5), ["a.b.ns.svc.cluster.local.", "a.b.corp.example.", "a.b."]);
        assert_eq!(asked("my_db", 1), ["my_db.ns.svc.cluster.local.", "my_db.corp.example.", "my_db."]);
    }

    #[test]
    fn a_trailing_dot_means_just_that_name() {
        assert_eq!(asked("a.b.", 5), ["a.b."]);
    }

    #[test]
    fn what_is_no_domain_name_is_not_asked() {
        for name in ["a..b", &"x".repeat(64), &"x.".repeat(200), "k\u{f6}ln"] {
            assert_eq!(asked(name, 1), [""; 0], "{name}");
        }
    }
}
