//! The delay levels: how a message's delay becomes a routing key.
//!
//! Level k holds a message for 2^k ticks. The key begins with one word for each level, highest first: `1` where the
//! message waits, `0` where it passes on at once. After these words comes the key of the target.

use std::time::Duration;

/// The shortest delay, and the unit of all others.
pub(crate) const TICK: Duration = Duration::from_millis(25);

/// How many levels there are; together they reach 29 hours.
pub(crate) const LEVELS: u32 = 22;

const LONGEST: u64 = (1 << LEVELS) - 1;

/// Of longer delays, only so many binary digits are kept: each further level that a message waits in costs the broker a
/// write, and a sixty-fourth more is little.
const DIGITS: u32 = 7;

/// Where a delayed message starts, and with which key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Route {
    /// The first level it waits in.
    pub(crate) level: u32,
    /// The words for the levels, then the target's key.
    pub(crate) routing_key: String,
}

/// The way through the levels that takes `delay`, rounded up to 25 ms, or to a sixty-fourth more where that is longer;
/// `None` when there is nothing to wait for. Longer delays than all levels together are cut to that.
pub(crate) fn route(delay: Duration, target: &str) -> Option<Route> {
    let ticks = ticks(delay);
    let level = ticks.checked_ilog2()?;
    let words = (0..LEVELS).rev().map(|level| if ticks >> level & 1 == 1 { "1." } else { "0." });
    Some(Route { level, routing_key: words.chain([target]).collect() })
}

/// The target's key in the key of a message that may have been delayed, whatever number of levels it passed.
pub(crate) fn target(routing_key: &str) -> &str {
    let mut target = routing_key;
    while let Some(rest) = target.strip_prefix("0.").or_else(|| target.strip_prefix("1.")) {
        target = rest;
    }
    target
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
    let ticks = u64::try_from(ticks).unwrap_or(LONGEST);
    let unit = 1 << (u64::BITS - ticks.leading_zeros()).saturating_sub(DIGITS);
    ticks.div_ceil(unit).saturating_mul(unit).min(LONGEST)
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
        fn levels_add_up_to_the_delay_or_a_little_more(millis in 1_u64..28 * 3_600 * 1_000) {
            let delay = Duration::from_millis(millis);
            let route = route(delay, "work.classifier.t4.spot").expect("there is something to wait for");

            let rounded_up = waited(&route).checked_sub(delay).expect("it is never too short");
            prop_assert!(rounded_up < Duration::from_millis(25).max(delay / 64), "{:?}", rounded_up);
            prop_assert_eq!(target(&route.routing_key), "work.classifier.t4.spot");
        }

        #[test]
        fn no_message_waits_in_more_than_seven_levels(millis in 1_u64..28 * 3_600 * 1_000) {
            let route = route(Duration::from_millis(millis), "t").expect("there is something to wait for");
            prop_assert!(route.routing_key.matches('1').count() <= 7, "{}", route.routing_key);
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
        let route = route(Duration::from_millis(110), "t").expect("there is something to wait for");
        assert_eq!(route.level, 2);
        assert_eq!(route.routing_key, format!("{}1.0.1.t", "0.".repeat(19)));
    }

    #[test]
    fn a_key_that_was_not_delayed_is_its_own_target() {
        assert_eq!(target("work.classifier.t4.spot"), "work.classifier.t4.spot");
        assert_eq!(target(""), "");
        assert_eq!(target("0.1.1.work.dit.a100.spot"), "work.dit.a100.spot");
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
