//! Which conditions say of a subject that it went further than others say.

use super::{Condition, growth, host, subjects};

/// Each condition with those it gives way to.
static STAGES: [(&Condition, &[&Condition]); 10] = [
    (&subjects::VOLUME_NEAR_QUOTA, &OVER_VOLUME),
    (&growth::VOLUME_FILLS_SOON, &[&growth::VOLUME_FILLS_NOW, OVER_VOLUME[0], OVER_VOLUME[1]]),
    (&growth::VOLUME_FILLS_NOW, &OVER_VOLUME),
    (&subjects::SANDBOX_NEAR_QUOTA, &[&subjects::SANDBOX_OVER_QUOTA]),
    (&growth::SANDBOX_FILLS_SOON, &[&growth::SANDBOX_FILLS_NOW, &subjects::SANDBOX_OVER_QUOTA]),
    (&growth::SANDBOX_FILLS_NOW, &[&subjects::SANDBOX_OVER_QUOTA]),
    (&host::FILESYSTEM_FILLING, &[&host::FILESYSTEM_FULL]),
    (&host::FILESYSTEM_INODES_LOW, &[&host::FILESYSTEM_INODES_EXHAUSTED]),
    (&growth::FILESYSTEM_FILLS_SOON, &[&growth::FILESYSTEM_FILLS_NOW, &host::FILESYSTEM_FULL]),
    (&growth::FILESYSTEM_FILLS_NOW, &[&host::FILESYSTEM_FULL]),
];

static OVER_VOLUME: [&Condition; 2] =
    [&subjects::VOLUME_OVER_QUOTA, &subjects::VOLUME_OVER_QUOTA_UNENFORCED];

impl Condition {
    /// Conditions that say of the same subject that it went further: once one of them is told,
    /// this one is not. Until then (they have hold times of their own) this one stays.
    pub fn gives_way_to(&self) -> &'static [&'static Condition] {
        STAGES.iter().find(|(weaker, _)| weaker.id == self.id).map_or(&[], |(_, further)| further)
    }
}

#[cfg(test)]
mod tests {
    use super::STAGES;

    #[test]
    fn who_gives_way_is_about_the_same_subject_and_in_one_direction() {
        for (weaker, further) in &STAGES {
            for condition in *further {
                assert_eq!(weaker.subject, condition.subject, "{}", weaker.id);
                let back = condition.gives_way_to();
                assert!(back.iter().all(|beyond| beyond.id != weaker.id), "{}", weaker.id);
                // What gives way twice gives way at once: no chain has to be followed.
                for beyond in back {
                    assert!(further.iter().any(|one| one.id == beyond.id), "{}", weaker.id);
                }
            }
        }
    }
}
