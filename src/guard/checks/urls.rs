//! Links: where they may lead.

use std::ops::Range;

use linkify::{LinkFinder, LinkKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::{
    Check, Kind, Needs, Reach, Shape,
    whole::{Judges, Whole},
};
use crate::guard::rules::Site;

/// Matches links that are not allowed. What is written of them must all hold.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Urls {
    /// Hosts that may be linked to, each with its subdomains; when empty, all that are not denied.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
    /// Hosts that may not be linked to, each with its subdomains.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<String>,
    /// The schemes that links may have, such as `https`; when empty, any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub schemes: Vec<String>,
    /// Whether a link may carry a user name or a password.
    pub credentials: bool,
    /// Most links in one text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<usize>,
}

impl Kind for Urls {
    fn build(&self, site: &mut Site<'_, '_>) {
        for (name, list) in [("allow", &self.allow), ("deny", &self.deny)] {
            for (n, host) in list.iter().enumerate().filter(|(_, host)| Host::parse(host).is_err()) {
                let message = format!("`{host}` is no host");
                site.problem(&format!("/{name}/{n}"), message, "write a name or an address alone, such as `example.com`");
            }
        }
        site.keep(Links::new(self));
        if let Some(max) = self.max {
            site.keep(Whole(TooMany(max)));
        }
    }
}

/// Schemes whose links lead nowhere, and run or hold something instead.
const INLINE_SCHEMES: [&str; 3] = ["javascript:", "data:", "vbscript:"];

/// A link and where it stands.
pub(super) struct Link<'t> {
    pub(super) text: &'t str,
    pub(super) span: Range<usize>,
}

/// The links of a text that say their scheme, as in `https://example.com`.
pub(super) fn links(text: &str) -> impl Iterator<Item = Link<'_>> {
    let mut finder = LinkFinder::new();
    finder.kinds(&[LinkKind::Url]);
    let found: Vec<_> =
        finder.links(text).map(|link| Link { text: &text[link.start()..link.end()], span: link.start()..link.end() }).collect();
    found.into_iter()
}

/// Finds links that are not allowed.
#[derive(Debug)]
struct Links {
    allow: Vec<Host>,
    deny: Vec<Host>,
    schemes: Vec<String>,
    credentials: bool,
    /// What is in every link that can match.
    marks: Vec<String>,
}

impl Links {
    /// Hosts that are none are left out.
    fn new(urls: &Urls) -> Self {
        let hosts = |list: &[String]| list.iter().filter_map(|host| Host::parse(host).ok()).collect();
        let schemes: Vec<String> =
            urls.schemes.iter().map(|scheme| scheme.trim_end_matches([':', '/']).to_ascii_lowercase()).collect();
        let mut marks = vec!["://".to_owned()];
        if !schemes.is_empty() {
            marks.extend(INLINE_SCHEMES.map(str::to_owned));
        }
        Self { allow: hosts(&urls.allow), deny: hosts(&urls.deny), schemes, credentials: urls.credentials, marks }
    }

    fn allows(&self, link: &str) -> bool {
        // What no browser can read leads nowhere.
        let Ok(url) = Url::parse(link) else { return true };
        let named = |list: &[Host]| url.host().is_some_and(|host| list.iter().any(|listed| is_under(&host, listed)));
        (self.schemes.is_empty() || self.schemes.iter().any(|scheme| scheme == url.scheme()))
            && (self.credentials || (url.username().is_empty() && url.password().is_none()))
            && (self.allow.is_empty() || named(&self.allow))
            && !named(&self.deny)
    }

    /// Links such as `javascript:alert(1)`, which no list of hosts covers.
    fn inline<'t>(&'t self, text: &'t str) -> impl Iterator<Item = Range<usize>> + 't {
        let schemes = INLINE_SCHEMES.into_iter().filter(|scheme| {
            !self.schemes.is_empty() && !self.schemes.iter().any(|allowed| scheme.trim_end_matches(':') == allowed)
        });
        let lower = text.to_ascii_lowercase();
        let found: Vec<_> = schemes
            .flat_map(|scheme| lower.match_indices(scheme).map(|(start, _)| start..start + scheme.len()).collect::<Vec<_>>())
            .collect();
        // A word that ends so is none, and neither is one before a blank: `the data: rows`.
        found.into_iter().filter(|span| {
            !text[..span.start].ends_with(char::is_alphanumeric)
                && text[span.end..].starts_with(|next: char| !next.is_whitespace())
        })
    }
}

/// Whether a host is the listed one, or below it.
fn is_under(host: &Host<&str>, listed: &Host) -> bool {
    match (host, listed) {
        (Host::Domain(name), Host::Domain(listed)) => {
            let name = name.trim_end_matches('.');
            name.strip_suffix(listed.as_str()).is_some_and(|below| below.is_empty() || below.ends_with('.'))
        }
        (Host::Ipv4(address), Host::Ipv4(listed)) => address == listed,
        (Host::Ipv6(address), Host::Ipv6(listed)) => address == listed,
        _ => false,
    }
}

impl Check for Links {
    fn find(&self, text: &str, found: &mut Vec<Range<usize>>) {
        found.extend(links(text).filter(|link| !self.allows(link.text)).map(|link| link.span));
        found.extend(self.inline(text));
    }

    fn needs(&self) -> Needs<'_> {
        Needs::AnyOf(&self.marks)
    }

    fn reach(&self) -> Reach {
        // A link ends with a blank, if not before, and what is before it says whether a scheme is one.
        let link = regex_syntax::parse(r"(?i)[a-z][a-z0-9+.-]*:\S*");
        link.map_or(Reach::Unbounded, |link| Reach::Shape(Shape::of(&link)))
    }
}

/// Matches a text with more links than this.
#[derive(Debug)]
struct TooMany(usize);

impl Judges for TooMany {
    fn matches(&self, text: &str) -> bool {
        links(text).nth(self.0).is_some()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::conformance, *};

    fn urls(allow: &[&str], deny: &[&str], schemes: &[&str]) -> Urls {
        let list = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Urls { allow: list(allow), deny: list(deny), schemes: list(schemes), ..Urls::default() }
    }

    fn find<'t>(urls: &Urls, text: &'t str) -> Vec<&'t str> {
        let mut found = Vec::new();
        Links::new(urls).find(text, &mut found);
        found.into_iter().map(|span| &text[span]).collect()
    }

    #[test]
    fn conforms() {
        conformance::holds(&Links::new(&urls(&["example.com"], &[], &[])), "see https://evil.test/é?q=1.");
        conformance::holds(&Links::new(&urls(&[], &[], &["https"])), "[x](JavaScript:alert(1))");
        conformance::holds(&Whole(TooMany(1)), "https://a.test https://b.test");
    }

    #[test]
    fn a_host_covers_what_is_below_it_and_not_what_ends_like_it() {
        let allowed = urls(&["example.com", "bücher.example", "10.0.0.1", "[::1]"], &["bad.example.com"], &[]);
        for link in [
            "https://example.com/a",
            "https://docs.EXAMPLE.com.",
            "https://example.com:8443/",
            "https://xn--bcher-kva.example/",
            "http://0x0a.0.0.1/",
            "http://[::1]/",
        ] {
            assert!(find(&allowed, link).is_empty(), "{link}");
        }
        for link in [
            "https://notexample.com/",
            "https://example.com.evil.test/",
            "https://example.com@evil.test/",
            "https://evil.test/?https://example.com",
            "https://bad.example.com/x",
            "https://www.bad.example.com/x",
            "http://10.0.0.11/",
        ] {
            assert_eq!(find(&allowed, &format!("![x]({link})")), [link], "{link}");
        }
    }

    #[test]
    fn schemes_and_credentials_are_judged() {
        let https = urls(&[], &[], &["https"]);
        assert_eq!(find(&https, "https://a.test http://a.test ftp://a.test"), ["http://a.test", "ftp://a.test"]);
        assert_eq!(find(&https, "<a href=\"javascript:go()\"> and the data: rows, metadata:x"), ["javascript:"]);
        let any = Urls::default();
        assert_eq!(find(&any, "https://ann:secret@a.test/ https://a.test/@b"), ["https://ann:secret@a.test/"]);
        assert!(find(&Urls { credentials: true, ..any }, "https://ann:secret@a.test/").is_empty());
    }

    #[test]
    fn links_are_counted() {
        assert!(!TooMany(2).matches("https://a.test, https://b.test") && TooMany(1).matches("https://a.test, https://b.test"));
        assert!(TooMany(0).matches("(https://a.test)") && !TooMany(0).matches("a.test"));
    }

    proptest! {
        #[test]
        fn every_link_is_a_place_in_the_text(text in "(https?://|javascript:|[a-zé.:/@ ]){0,12}") {
            for found in find(&urls(&["a.b"], &[], &["https"]), &text) {
                prop_assert!(!found.is_empty());
            }
        }
    }
}
