//! The figures of `docs/costs.md`, worked out again.

use std::time::Duration;

use contract::{GpuClass, Seconds};

use super::{resolved, shipped};
use crate::{GpuPrice, Placement, affordable, choose, estimate, usd};

const GUIDE: &str = include_str!("../../../../docs/costs.md");

/// The rows of the table that begins with these columns, cell by cell.
fn rows<const N: usize>(columns: [&str; N]) -> Vec<[&'static str; N]> {
    let header = format!("| {} |\n", columns.join(" | "));
    let (_, table) = GUIDE.split_once(&header).unwrap_or_else(|| panic!("there is no table {header}"));
    let lines = table.lines().skip(1).take_while(|line| line.starts_with('|'));
    let rows: Vec<_> = lines
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
            cells.try_into().unwrap_or_else(|cells| panic!("{cells:?} are not {N} cells"))
        })
        .collect();
    assert!(1 < rows.len(), "{header} has rows");
    rows
}

fn price(class: &str) -> GpuPrice {
    shipped().gpu[&class.parse::<GpuClass>().unwrap()]
}

/// `1h 6m 40s`
fn seconds(text: &str) -> Duration {
    text.parse::<Seconds>().unwrap_or_else(|error| panic!("{text}: {error}")).to_duration()
}

/// The largest unit is an hour, and what is less than half a second does not count.
fn length(time: Duration) -> String {
    let seconds = time.as_secs_f64().round() as u64;
    let units = [(seconds / 3600, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let words: Vec<String> =
        units.iter().filter(|(count, _)| 0 < *count).map(|(count, unit)| format!("{count}{unit}")).collect();
    words.join(" ")
}

fn dollars(usd: f64) -> String {
    if usd < 0.0 { format!("-${:.2}", -usd) } else { format!("${usd:.2}") }
}

#[test]
fn the_prices_are_those_that_ship() {
    let mut classes = Vec::new();
    let t4 = price("t4").usd_per_hour;
    for [class, memory, on_demand, spot, cheaper, in_t4s] in
        rows(["class", "memory", "on demand", "spot", "spot is cheaper by", "an hour of T4"])
    {
        let GpuPrice { usd_per_hour, spot_usd_per_hour, memory_mib } = price(class);
        assert_eq!(memory, format!("{memory_mib} MiB"), "{class}");
        assert_eq!(on_demand, dollars(usd_per_hour), "{class}");
        assert_eq!(spot, dollars(spot_usd_per_hour), "{class}");
        let share = (1.0 - spot_usd_per_hour / usd_per_hour) * 100.0;
        assert_eq!(cheaper, format!("{share:.0} %"), "{class}");
        assert_eq!(in_t4s, format!("{:.2}", usd_per_hour / t4), "{class}");
        classes.push(class.parse::<GpuClass>().unwrap());
    }
    classes.sort();
    assert!(classes.iter().eq(shipped().gpu.keys()), "every class that ships is in the guide: {classes:?}");
}

#[test]
fn the_worst_cases_are_those_of_the_estimate() {
    for [submission, attempts, time, cost] in rows(["submission", "attempts", "time", "cost"]) {
        let terms = resolved(serde_json::from_str(submission.trim_matches('`')).unwrap()).unwrap();
        let worst = estimate(&terms, &choose(&terms, None, |_: &Placement| true), &[]);
        assert_eq!(attempts, worst.worst_attempts.to_string(), "{submission}");
        assert_eq!(time, length(Duration::from_secs_f64(worst.worst_seconds)), "{submission}");
        assert_eq!(cost, dollars(worst.worst_usd), "{submission}");
    }
}

#[test]
fn the_classes_cost_what_their_speed_makes_of_their_price() {
    for [class, rate, steps, time, cost] in rows(["class", "steps a second", "steps", "time", "cost"]) {
        let (rate, steps): (f64, f64) = (rate.parse().unwrap(), steps.parse().unwrap());
        let takes = Duration::from_secs_f64(steps / rate);
        assert_eq!(time, length(takes), "{class}");
        assert_eq!(cost, dollars(usd(takes, price(class).usd_per_hour)), "{class}");
    }
}

#[test]
fn spot_pays_below_the_rate_that_the_formula_gives() {
    for [class, interval, resume, lost, below] in
        rows(["class", "interval", "resume", "lost", "pays below, times an hour"])
    {
        let GpuPrice { usd_per_hour, spot_usd_per_hour, .. } = price(class);
        let loses = seconds(interval) / 2 + seconds(resume);
        assert_eq!(lost, length(loses), "{class}");
        let rate = (1.0 - spot_usd_per_hour / usd_per_hour) / (loses.as_secs_f64() / 3600.0);
        assert_eq!(below, format!("{rate:.1}"), "{class}");
        // At that rate an hour of work costs the same either way.
        let takes = 1.0 / (1.0 - rate * loses.as_secs_f64() / 3600.0);
        assert!((takes * spot_usd_per_hour - usd_per_hour).abs() < 1e-9, "{class} breaks even");
    }
}

#[test]
fn the_runs_on_spot_come_to_what_the_formula_gives() {
    for [class, work, rate, lost, time, on_spot, on_demand, saved] in rows([
        "class",
        "work",
        "taken away, times an hour",
        "lost",
        "time on spot",
        "on spot",
        "on demand",
        "saved",
    ]) {
        let GpuPrice { usd_per_hour, spot_usd_per_hour, .. } = price(class);
        let rate: f64 = rate.parse().unwrap();
        let takes = seconds(work).div_f64(1.0 - rate * seconds(lost).as_secs_f64() / 3600.0);
        let (spot, demand) = (usd(takes, spot_usd_per_hour), usd(seconds(work), usd_per_hour));
        assert_eq!(time, length(takes), "{class}");
        assert_eq!(on_spot, dollars(spot), "{class}");
        assert_eq!(on_demand, dollars(demand), "{class}");
        assert_eq!(saved, dollars(demand - spot), "{class}");
        // The other way round: the money buys the time.
        assert!(affordable(spot, spot_usd_per_hour).abs_diff(takes) < Duration::from_millis(1), "{class}");
    }
}
