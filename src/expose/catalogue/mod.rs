//! The one catalogue of every metric.
//!
//! A metric exists only by an entry here: what writes it takes the entry as its argument, and the
//! reference page, the lint and the "nothing undeclared, nothing unused" test derive from it.

pub mod agent;
pub mod alerting;
pub mod device;
pub mod filesystem;
pub mod finding;
pub mod io;
pub mod network;
pub mod own;
mod reference;
pub mod sandbox;
pub mod volume;

pub use reference::reference_markdown;

/// What a family is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A value that goes up and down.
    Gauge,
    /// A value that only goes up; its name ends in `_total`.
    Counter,
    /// A gauge that is always 1 and carries facts as labels; its name ends in `_info`.
    Info,
}

impl Kind {
    /// The word of the `# TYPE` line. Info metrics are gauges in both formats: the type `info` of
    /// OpenMetrics would take its suffix off the family's name and so give it two names.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gauge | Self::Info => "gauge",
            Self::Counter => "counter",
        }
    }
}

/// One metric family.
#[derive(Debug, PartialEq, serde::Serialize)]
pub struct Family {
    /// Name, as in the text format (a counter with its `_total`).
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Base unit, the last word of the name; absent where there is none.
    pub unit: Option<&'static str>,
    /// Labels that name the subject.
    pub identity: &'static [&'static str],
    /// Labels beside those.
    pub labels: &'static [&'static str],
    /// How many series there can be.
    pub bound: &'static str,
    /// What it says, for a person.
    pub help: &'static str,
}

impl Family {
    /// All labels, in the order they are written.
    pub fn all_labels(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.identity.iter().chain(self.labels).copied()
    }
}

/// Families that belong together on the reference page.
#[derive(Debug)]
pub struct Group {
    /// Heading.
    pub title: &'static str,
    /// What the reader must know of all of them.
    pub intro: &'static str,
    /// The families, in the order they are exposed.
    pub families: &'static [&'static Family],
}

/// Every group.
pub static GROUPS: [&Group; 10] = [
    &volume::GROUP,
    &sandbox::GROUP,
    &filesystem::GROUP,
    &device::GROUP,
    &network::GROUP,
    &io::GROUP,
    &agent::GROUP,
    &finding::GROUP,
    &alerting::GROUP,
    &own::GROUP,
];

/// Every family of the catalogue.
pub fn all() -> impl Iterator<Item = &'static Family> {
    GROUPS.iter().flat_map(|group| group.families.iter().copied())
}

/// The family of that name.
pub fn find(name: &str) -> Option<&'static Family> {
    all().find(|family| family.name == name)
}

/// Declares families and the group that lists them, so that none can be declared and not listed.
macro_rules! families {
    (
        $title:literal, $intro:expr;
        $(
            $ident:ident = $kind:ident $name:literal, $unit:expr,
            $identity:expr, [$($label:literal),*], $bound:expr,
            $help:expr;
        )+
    ) => {
        $(
            #[doc = concat!("`", $name, "`")]
            pub static $ident: $crate::expose::catalogue::Family =
                $crate::expose::catalogue::Family {
                    name: $name,
                    kind: $crate::expose::catalogue::Kind::$kind,
                    unit: $unit,
                    identity: $identity,
                    labels: &[$($label),*],
                    bound: $bound,
                    help: $help,
                };
        )+
        /// The group.
        pub static GROUP: $crate::expose::catalogue::Group = $crate::expose::catalogue::Group {
            title: $title,
            intro: $intro,
            families: &[$(&$ident),+],
        };
    };
}
pub(crate) use families;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_follow_the_customs() {
        let mut seen = HashSet::new();
        for family in all() {
            let name = family.name;
            assert!(seen.insert(name), "{name} is declared twice");
            assert!(name.starts_with("plimsoll_") || name.starts_with("process_"), "{name}");
            assert_eq!(name.ends_with("_total"), family.kind == Kind::Counter, "{name}");
            assert_eq!(name.ends_with("_info"), family.kind == Kind::Info, "{name}");
            assert!(family.help.ends_with('.'), "help of {name} is no sentence");
            let stem = name.strip_suffix("_total").unwrap_or(name);
            for unit in ["bytes", "seconds"] {
                assert_eq!(stem.ends_with(unit), family.unit == Some(unit), "unit of {name}");
            }
            let labels: Vec<_> = family.all_labels().collect();
            let unique: HashSet<_> = labels.iter().collect();
            assert_eq!(unique.len(), labels.len(), "a label of {name} is named twice");
            assert!(!labels.contains(&"type"), "{name}");
        }
    }

    #[test]
    fn families_are_found_by_name() {
        assert_eq!(find("plimsoll_volume_used_bytes"), Some(&volume::USED_BYTES));
        assert_eq!(find("plimsoll_volume_used"), None);
    }
}
