//! The delay levels: how a message's delay becomes a routing key.
//!
//! Level k holds a message for 2^k ticks. The key begins with one word for each level, highest first: `1` where the
//! message waits, `0` where it passes on at once. After these words comes the key of the target.

use std::time::Duration;

/// The shortest delay, and the unit of all others.
pub(crate) const TICK: Duration = Duration::from_millis(125);

/// How many levels there are; together they reach 36 hours.
pub(crate) const LEVELS: u32 = 20;

const LONGEST: u64 = (1 << LEVELS) - 1;

/// Where a delayed message starts, and with which key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Route {
    /// The first level it waits in.
    pub(crate) level: u32,
    /// The words for the levels, then the target's key.
    pub(crate) routing_key: String,
}

/// The way through the levels that takes `delay`, rounded up to a tick; `None` when there is nothing to wait for.
/// Longer delays than all levels together are cut to that.
pub(crate) fn route(delay: Duration, target: &str) -> Option<Route> {
    let ticks = ticks(delay);
    let level = ticks.checked_ilog2()?;
    let words = (0..LEVELS).rev().map(|level| if ticks >> level & 1 == 1 { "1." } else { "0." });
    Some(Route { level, routing_key: words.chain([target]).collect() })
}

/// The target's key in the key of a message that may have been delayed.
pub(crate) fn target(routing_key: &str) -> &str {
    let words = LEVELS as usize * 2;
    match routing_key.split_at_checked(words) {
        Some((levels, target)) if is_levels(levels) => target,
        _ => routing_key,
    }
}

/// The binding pattern for messages whose word for `level` is `word`.
pub(crate) fn pattern(level: u32, word: char) -> String {
    let above = "*.".repeat((LEVELS - 1 - level) as usize);
    format!("{above}{word}.#")
}

/// How long a message stays in `level`.
pub(crate) fn wait(level: u32) -> Duration {
    TICK * (1 << level)
}

fn ticks(delay: Duration) -> u64 {
    let ticks = delay.as_nanos().div_ceil(TICK.as_nanos());
    u64::try_from(ticks).unwrap_or(LONGEST).min(LONGEST)
}

fn is_levels(text: &str) -> bool {
    text.as_bytes().chunks(2).all(|word| matches!(word, [b'0' | b'1', b'.']))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the levels do to a message with this route.
    fn waited(route: &Route) -> Duration {
        let words: Vec<&str> = route.routing_key.split('.').take(LEVELS as usize).collect();
        (0..=route.level).filter(|level| words[(LEVELS - 1 - level) as usize] == "1").map(wait).sum()
    }

    proptest! {
        #[test]
        fn levels_add_up_to_the_delay_rounded_up(millis in 1_u64..36 * 3_600 * 1_000) {
            let delay = Duration::from_millis(millis);
            let route = route(delay, "work.classifier.t4.spot").expect("there is something to wait for");

            prop_assert_eq!(waited(&route), Duration::from_millis(millis.div_ceil(125) * 125));
            prop_assert_eq!(target(&route.routing_key), "work.classifier.t4.spot");
        }

        #[test]
        fn any_delay_has_a_route(delay: Duration) {
            match route(delay, "target") {
                Some(route) => {
                    prop_assert!(route.level < LEVELS);
                    prop_assert_eq!(target(&route.routing_key), "target");
                }
                None => prop_assert_eq!(delay, Duration::ZERO),
            }
        }
    }

    #[test]
    fn no_delay_goes_straight() {
        assert_eq!(route(Duration::ZERO, "target"), None);
    }

    #[test]
    fn keys_read_as_binary() {
        let route = route(Duration::from_millis(600), "t").expect("there is something to wait for");
        assert_eq!(route.level, 2);
        assert_eq!(route.routing_key, format!("{}1.0.1.t", "0.".repeat(17)));
    }

    #[test]
    fn a_key_that_was_not_delayed_is_its_own_target() {
        assert_eq!(target("work.classifier.t4.spot"), "work.classifier.t4.spot");
        assert_eq!(target(""), "");
        assert_eq!(
            target("ümläute.ümläute.ümläute.ümläute.ümläute."),
            "ümläute.ümläute.ümläute.ümläute.ümläute."
        );
    }

    #[test]
    fn patterns_match_their_own_level_only() {
        assert_eq!(pattern(LEVELS - 1, '1'), "1.#");
        assert_eq!(pattern(LEVELS - 3, '0'), "*.*.0.#");
    }
}
