use std::error::Error;

use expect_test::{Expect, expect};
use secrecy::ExposeSecret;

use super::*;

/// Reads the built-in file with `old` replaced by `new`, and `variables` written as `NAME=value`.
fn read(old: &str, new: &str, variables: &[&str]) -> Result<Settings, SettingsError> {
    assert!(BUILT_IN.contains(old), "{old:?} is not in rekindle.toml");
    let variables = variables.iter().map(|variable| {
        let (name, value) = variable.split_once('=').unwrap();
        (name.to_owned(), value.to_owned())
    });
    parse(&BUILT_IN.replacen(old, new, 1), "rekindle.toml", Path::new("/srv"), variables)
}

fn with_variables(variables: &[&str]) -> Result<Settings, SettingsError> {
    read("", "", variables)
}

/// What each change to the built-in file is refused with, a line each.
fn check_refusals(changes: &[(&str, &str)], expected: &Expect) {
    let refusals = changes.iter().map(|(old, new)| refusal(read(old, new, &[])) + "\n");
    expected.assert_eq(&refusals.collect::<String>());
}

/// The error and its causes, without the words that all of them begin with.
fn refusal(result: Result<Settings, SettingsError>) -> String {
    let error = result.expect_err("the settings were taken");
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text.trim_start_matches("the settings in rekindle.toml are not valid: ").to_owned()
}

#[test]
fn the_file_of_this_release_is_valid() {
    let settings = with_variables(&[]).unwrap();
    assert_eq!(settings.data.dir, Path::new("/srv/data"));
    assert_eq!(settings.data.roots, [Path::new("/srv/data/datasets")]);
    assert_eq!(settings.scheduler.database, Path::new("/srv/data/scheduler.db"));
    assert_eq!(settings.checkpoints.url, "/srv/data/checkpoints");
    assert_eq!(settings.scheduler.hang_limit.as_f64(), 300.0);
    assert!(settings.broker.url.is_none());
}

#[test]
fn a_file_is_the_base_of_its_paths() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rekindle.toml");
    std::fs::write(&file, BUILT_IN).unwrap();
    let settings = load(&file, []).unwrap();
    assert_eq!(settings.data.dir, folder.path().join("data"));
    assert_eq!(settings.file, Some(file));
}

#[test]
fn absolute_paths_and_addresses_stay() {
    let settings = with_variables(&[
        "REKINDLE__DATA__DIR=/var/lib/rekindle",
        "REKINDLE__CHECKPOINTS__URL=s3://bucket/runs",
    ]);
    let settings = settings.unwrap();
    assert_eq!(settings.data.dir, Path::new("/var/lib/rekindle"));
    assert_eq!(settings.checkpoints.url, "s3://bucket/runs");
}

#[test]
fn variables_override_the_file() {
    let settings = with_variables(&[
        "REKINDLE__BROKER__URL=amqp://u:p@h:5672/%2f",
        "REKINDLE__SCHEDULER__LEASE=1m 30s",
        "REKINDLE__SCHEDULER__HEARTBEAT=0.5",
        "REKINDLE__WORKER__ID=7",
        "REKINDLE__WORKER__GPU=",
        "REKINDLE__DATA__ROOTS=images:/mnt/images",
        "REKINDLE__GPU__A100__USD_PER_HOUR=2.5",
        "REKINDLE_CONFIG=elsewhere",
        "PATH=/bin",
    ]);
    let settings = settings.unwrap();
    assert_eq!(settings.broker.url.unwrap().expose_secret(), "amqp://u:p@h:5672/%2f");
    assert_eq!(settings.scheduler.lease.as_f64(), 90.0);
    assert_eq!(settings.scheduler.heartbeat.as_f64(), 0.5);
    assert_eq!(settings.worker.id.unwrap().as_str(), "7");
    assert_eq!(settings.worker.gpu, None);
    assert_eq!(settings.data.roots, [Path::new("/srv/images"), Path::new("/mnt/images")]);
    assert_eq!(settings.gpu[&contract::GpuClass::new("a100").unwrap()].usd_per_hour, 2.5);
}

#[test]
fn misspelt_keys_are_named() {
    check_refusals(
        &[("keep_last", "keep_lats"), ("[checkpoints]", "[checkpoint]"), ("max_retries", "retries")],
        &expect![[r#"
            unknown field `keep_lats`, expected one of `url`, `keep_last`, `sweep_after` for key `checkpoints`
            unknown field `checkpoint`, expected one of `broker`, `data`, `checkpoints`, `scheduler`, `worker`, `telemetry`, `gpu`, `workloads`, `owners`, `failure_rules`
            unknown field `retries`, expected one of `max_retries`, `initial_delay`, `backoff_coefficient`, `max_delay`, `jitter`, `max_losses` for key `workloads.classifier.retry`
        "#]],
    );
    let variable = with_variables(&["REKINDLE__DATA__RUTS=5s"]);
    expect!["unknown field `ruts`, expected `dir` or `roots` for key `data`"].assert_eq(&refusal(variable));
}

#[test]
fn values_of_the_wrong_kind_are_named() {
    check_refusals(
        &[
            ("keep_last = 3", "keep_last = \"three\""),
            ("lease = \"10s\"", "lease = \"10 parsecs\""),
            ("lease = \"10s\"", "lease = -3"),
            ("lease = \"10s\"", "lease = "),
            ("tier = \"on-demand\"", "tier = \"cheap\""),
            ("format = \"text\"", "format = \"xml\""),
            ("dir = \"data\"", ""),
            ("gpu = [\"t4\", \"l4\", \"cpu\"]", "gpu = [\"t 4\"]"),
        ],
        &expect![[r#"
            invalid type: string "three", expected an integer for key `checkpoints.keep_last`
            "10 parsecs" is not a length of time (unknown time unit "parsecs", supported units: ns, us/µs, ms, sec, min, hours, days, weeks, months, years (and few variations)); write 90, "90s" or "1h 30m" for key `scheduler.lease`
            -3 is not a length of time for key `scheduler.lease`
            TOML parse error at line 30, column 9
               |
            30 | lease = 
               |         ^
            string values must be quoted, expected literal string

            unknown variant `cheap`, expected `on-demand` or `spot` for key `worker.tier`
            "xml" is not a log format; there are "text" and "json" for key `telemetry.format`
            missing configuration field "data.dir"
            GPU class "t 4" is not valid: it takes 1 to 32 characters of a-z, A-Z, 0-9, '-' and '_' for key `workloads.classifier.gpu[0]`
        "#]],
    );
    expect!["cannot read the settings file /nowhere/rekindle.toml: No such file or directory (os error 2)"]
        .assert_eq(&refusal(load(Path::new("/nowhere/rekindle.toml"), [])));
}

#[test]
fn values_that_make_no_sense_are_named() {
    check_refusals(
        &[
            ("lease = \"10s\"", "lease = \"4s\""),
            ("keep_last = 3", "keep_last = 0"),
            ("gpu = [\"t4\", \"l4\", \"cpu\"]", "gpu = [\"t5\"]"),
            ("gpu = [\"t4\", \"l4\", \"cpu\"]", "gpu = []"),
            ("usd_per_hour = 0.60", "usd_per_hour = -0.60"),
            ("usd_per_hour = 0.60", "usd_per_hour = nan"),
            ("backoff_coefficient = 2.0", "backoff_coefficient = 0.5"),
            ("timeout = \"24h\"", "timeout = \"25h\""),
            ("steps = 200000", "steps = 0"),
            ("steps = 200000", "step = 9"),
            ("# max_timeout = \"12h\"", "max_timeout = \"30m\""),
            ("claim_timeout = \"60s\"", "claim_timeout = 0"),
            ("least_run = \"30s\"", "least_run = 0"),
            ("priority_worth = \"30m\"", "priority_worth = 0"),
            ("concurrency = 2", "concurrency = 0"),
            ("[broker]", "[owners.ada]\nconcurrency = 0\n[broker]"),
            ("[broker]", "[owners.ada]\nweight = 0\n[broker]"),
            ("[broker]", "[owners.ada]\nmonthly_usd = -1\n[broker]"),
            ("[broker]", "[owners.\"\"]\nweight = 1\n[broker]"),
            ("initial_delay = \"10s\"", "initial_delay = \"10m\""),
            ("host_memory_mib = 16384", "host_memory_mib = 16"),
            ("# gpu_memory_share = 0.5", "gpu_memory_share = 0.0"),
            ("# gpu_memory_share = 0.5", "gpu_memory_share = 1.5"),
            ("# gpu_memory_share = 0.5", "gpu_memory_share = nan"),
            ("# spot_notice_url = \"http:", "spot_notice_url = \"https:"),
        ],
        &expect![[r#"
            scheduler.lease is 4s; it takes more than twice scheduler.heartbeat, which is 2s
            checkpoints.keep_last is 0; it takes 1 or more
            workloads.classifier.gpu is "t5"; it takes one or more of the classes in [gpu]: a100, a10g, cpu, h100, h200, l4, t4
            workloads.classifier.gpu is empty; it takes one or more of the classes in [gpu]: a100, a10g, cpu, h100, h200, l4, t4
            gpu.l4.usd_per_hour is -0.6; it takes a number of dollars, 0 or more
            gpu.l4.usd_per_hour is NaN; it takes a number of dollars, 0 or more
            workloads.classifier.retry.backoff_coefficient is 0.5; it takes 1 to 100
            workloads.dit.profiles.full.timeout is 1day 1h; it takes more than 0s, at most 1day
            workloads.dit.profiles.full.params is {"steps":0}; it takes what a job of dit takes (params: steps is 0; it takes 1 to 10,000,000)
            workloads.dit.profiles.full.params is {"step":9}; it takes what a job of dit takes (params: unknown field `step`, expected one of `data`, `model`, `image_size`, `patch_size`, `steps`, `batch_size`, `accumulation`, `lr`, `warmup_steps`, `weight_decay`, `clip_norm`, `ema_decay`, `time`, `class_dropout`, `flip`, `val_split`, `validate_every_steps`, `early_stop_patience`, `sample_every_steps`, `solver`, `solver_steps`, `guidance`, `seed`, `precision`, `max_unreadable`, `checkpoint_every_steps`)
            workloads.classifier.timeout is 1h; it takes more than 0s, at most 30m
            scheduler.claim_timeout is 0s; it takes more than 0s, at most 1day
            scheduler.least_run is 0s; it takes more than 0s, at most 1h
            scheduler.priority_worth is 0s; it takes more than 0s, at most 30days
            workloads.classifier.concurrency is 0; it takes 1 or more
            owners.ada.concurrency is 0; it takes 1 or more
            owners.ada.weight is 0; it takes 1 to 1000
            owners.ada.monthly_usd is -1; it takes a number of dollars, 0 or more, or inf for no limit
            owners is ""; it takes names of 1 to 64 characters
            workloads.classifier.retry.initial_delay is 10m; it takes at most max_delay, which is 5m
            workloads.dit.host_memory_mib is 16; it takes 256 MiB or more
            workloads.classifier.gpu_memory_share is 0; it takes more than 0, at most 1
            workloads.classifier.gpu_memory_share is 1.5; it takes more than 0, at most 1
            workloads.classifier.gpu_memory_share is NaN; it takes more than 0, at most 1
            worker.spot_notice_url is "https://169.254.169.254"; it takes the http:// address of a metadata service, such as http://169.254.169.254
        "#]],
    );
}

#[test]
fn owners_have_what_their_own_entry_says_and_else_what_the_default_says() {
    let entries = "[owners.default]\nconcurrency = 3\n[owners.\"Ada L.\"]\nweight = 2\n[broker]";
    let owners = read("[broker]", entries, &["REKINDLE__OWNERS__BOB__CONCURRENCY=5"]).unwrap().owners;
    let found = ["Ada L.", "bob", "eve"].map(|name| (owners.concurrency(name), owners.weight(name)));
    assert_eq!(found, [(Some(3), 2), (Some(5), 1), (Some(3), 1)]);
    assert_eq!(with_variables(&[]).unwrap().owners.concurrency("eve"), None);
    let entries = "[owners.default]\nmonthly_usd = 20\n[owners.ada]\nmonthly_usd = inf\n[broker]";
    let owners = read("[broker]", entries, &["REKINDLE__OWNERS__BOB__MONTHLY_USD=5.5"]).unwrap().owners;
    assert_eq!(["ada", "bob", "eve"].map(|name| owners.monthly_usd(name)), [None, Some(5.5), Some(20.0)]);
    let misspelt = read("[broker]", "[owners.ada]\nwheight = 2\n[broker]", &[]);
    expect![
        "unknown field `wheight`, expected one of `concurrency`, `weight`, `monthly_usd` for key `owners.ada`"
    ]
    .assert_eq(&refusal(misspelt));
}

#[test]
fn a_password_is_never_told() {
    let refused = refusal(with_variables(&["REKINDLE__BROKER__URL=http://user:secret@host"]));
    expect!["broker.url is not an AMQP address; it takes amqp://user:password@host:5672/vhost"]
        .assert_eq(&refused);
    let taken = with_variables(&["REKINDLE__BROKER__URL=amqp://user:secret@host"]).unwrap();
    assert!(!format!("{taken:?}").contains("secret@"));
}

#[test]
fn failure_rules_are_words_and_a_class_that_words_can_give() {
    let rules = |text: &str| read("[broker]", &format!("{text}\n\n[broker]"), &[]);
    let good = "[[failure_rules]]\npattern = \"licence server\"\nclass = \"transient\"";
    assert_eq!(rules(good).unwrap().failure_rules[0].pattern, "licence server");
    let refusals = [
        "[[failure_rules]]\npattern = \" \"\nclass = \"oom\"",
        "[[failure_rules]]\npattern = \"x\"\nclass = \"lost\"",
        "[[failure_rules]]\npattern = \"x\"\nclass = \"fatal\"",
        "[[failure_rules]]\nclass = \"oom\"",
    ];
    let refusals = refusals.map(|text| refusal(rules(text)) + "\n").concat();
    expect![[r#"
        failure_rules[0].pattern is empty; it takes words that the failure's text contains
        lost is no class for a rule; it takes one of permanent, transient, oom for key `failure_rules[0]class`
        fatal is no class for a rule; it takes one of permanent, transient, oom for key `failure_rules[0]class`
        missing configuration field "failure_rules[0]pattern"
    "#]].assert_eq(&refusals);
}
