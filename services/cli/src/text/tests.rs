use super::*;

#[test]
fn lengths_of_time_show_their_two_largest_units() {
    let check = |millis, expected: &str| assert_eq!(length(Duration::from_millis(millis)), expected);
    check(0, "0s");
    check(40, "40ms");
    check(1_250, "1.2s");
    check(12_900, "12s");
    check(60_000, "1m");
    check(200_000, "3m 20s");
    check(7_500_000, "2h 5m");
    check(90_000_000, "1d 1h");
}

#[test]
fn amounts_are_readable() {
    assert_eq!(
        [0.0, 0.001_36, 0.01, 1.239, 1200.0].map(dollars),
        ["$0.00", "$0.0014", "$0.01", "$1.24", "$1200.00"]
    );
    assert_eq!(
        [999, 1_000, 140_482_560, 9_999_999, u64::MAX].map(size),
        ["999 B", "1.0 kB", "140 MB", "10 MB", "18446744.1 TB"]
    );
    assert_eq!(
        [0.0, 0.4375, 12.5, 31.0, 1234.56, 0.000_012_5].map(figure),
        ["0", "0.4375", "12.5", "31", "1234.6", "1.25e-5"]
    );
}

#[test]
fn moments_name_the_day_when_it_is_not_today() {
    let noon = Timestamp(1_767_268_800_000);
    let clock = Clock { now: noon, zone: TimeZone::UTC };
    assert_eq!(clock.moment_and_distance(Timestamp(noon.0 - 200_000)), "11:56:40 (3m 20s ago)");
    assert_eq!(clock.moment_and_distance(Timestamp(noon.0 + 8_000)), "12:00:08 (in 8.0s)");
    assert_eq!(clock.moment(Timestamp(noon.0 - 86_400_000)), "2025-12-31 12:00:00");
    assert_eq!(clock.moment(Timestamp(u64::MAX)), "at no time");
}

#[test]
fn the_rest_is_told_from_the_rate() {
    let progress =
        Progress { step: 100, steps_total: Some(400), steps_per_second: Some(10.0), ..Progress::default() };
    assert_eq!(steps(&progress), "100/400 (25 %)");
    assert_eq!(remaining(&progress), Some(Duration::from_secs(30)));
    assert_eq!(remaining(&Progress { steps_per_second: Some(0.0), ..progress.clone() }), None);
    assert_eq!(steps(&Progress { steps_total: None, ..progress }), "100");
}
