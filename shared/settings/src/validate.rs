//! What the types cannot say.

use contract::{GpuClass, Seconds, Workload, params};
use policy::{RetryPolicy, WorkloadPolicy};
use secrecy::ExposeSecret;
use serde_json::Value;

use crate::{Settings, SettingsError};

const HOUR: f64 = 3600.0;
/// The longest attempt, and the longest wait for one.
const DAY: f64 = 24.0 * HOUR;
/// What a trainer's process takes before it has done anything, roughly.
const LEAST_MEMORY_MIB: u64 = 256;

/// One key that holds what it must not.
pub(crate) struct WrongValue {
    key: String,
    given: String,
    right: String,
}

impl WrongValue {
    pub(crate) fn at(self, place: &str) -> SettingsError {
        let Self { key, given, right } = self;
        SettingsError::Value { place: place.into(), key, given, right }
    }
}

type Checked = Result<(), WrongValue>;

/// Complains about `key` unless `holds`.
fn require(holds: bool, key: impl Into<String>, given: impl ToString, right: impl Into<String>) -> Checked {
    if holds {
        return Ok(());
    }
    Err(WrongValue { key: key.into(), given: given.to_string(), right: right.into() })
}

/// A length of time that is not zero and at most `longest` seconds.
fn require_time(key: impl Into<String>, time: Seconds, longest: f64) -> Checked {
    let limit = Seconds::new(longest).unwrap_or_default();
    let holds = 0.0 < time.as_f64() && time <= limit;
    require(holds, key, time, format!("more than 0s, at most {limit}"))
}

impl Settings {
    /// Checks every value against what it is for.
    pub(crate) fn validate(&self) -> Checked {
        self.validate_broker()?;
        self.validate_checkpoints()?;
        self.validate_scheduler()?;
        self.validate_worker()?;
        self.validate_gpu()?;
        for (name, workload) in &self.workloads {
            self.validate_workload(&format!("workloads.{name}"), workload)?;
            self.validate_profiles(name, workload)?;
        }
        self.validate_owners()?;
        self.validate_failure_rules()
    }

    fn validate_owners(&self) -> Checked {
        for (name, owner) in &self.owners.0 {
            let length = name.chars().count();
            require(
                (1..=64).contains(&length),
                "owners",
                format!("{name:?}"),
                "names of 1 to 64 characters",
            )?;
            if let Some(concurrency) = owner.concurrency {
                require(1 <= concurrency, format!("owners.{name}.concurrency"), concurrency, "1 or more")?;
            }
            if let Some(weight) = owner.weight {
                require((1..=1000).contains(&weight), format!("owners.{name}.weight"), weight, "1 to 1000")?;
            }
            let usd = owner.monthly_usd.unwrap_or(0.0);
            let right = "a number of dollars, 0 or more, or inf for no limit";
            require(0.0 <= usd, format!("owners.{name}.monthly_usd"), usd, right)?;
        }
        Ok(())
    }

    fn validate_failure_rules(&self) -> Checked {
        for (at, rule) in self.failure_rules.iter().enumerate() {
            let key = format!("failure_rules[{at}].pattern");
            let right = "words that the failure's text contains";
            require(!rule.pattern.trim().is_empty(), key, "empty", right)?;
        }
        Ok(())
    }

    fn validate_broker(&self) -> Checked {
        let heartbeat = self.broker.heartbeat;
        let in_range = (1.0..=600.0).contains(&heartbeat.as_f64());
        require(in_range, "broker.heartbeat", heartbeat, "1s to 10m")?;
        let Some(url) = &self.broker.url else { return Ok(()) };
        let is_amqp = ["amqp://", "amqps://"].iter().any(|scheme| url.expose_secret().starts_with(scheme));
        // The address itself may hold a password.
        require(is_amqp, "broker.url", "not an AMQP address", "amqp://user:password@host:5672/vhost")
    }

    fn validate_checkpoints(&self) -> Checked {
        let checkpoints = &self.checkpoints;
        require(!checkpoints.url.is_empty(), "checkpoints.url", "empty", "a folder, or s3://bucket/prefix")?;
        require(1 <= checkpoints.keep_last, "checkpoints.keep_last", checkpoints.keep_last, "1 or more")?;
        require_time("checkpoints.sweep_after", checkpoints.sweep_after, 365.0 * DAY)
    }

    fn validate_scheduler(&self) -> Checked {
        let scheduler = &self.scheduler;
        require_time("scheduler.heartbeat", scheduler.heartbeat, HOUR)?;
        let two_heartbeats = 2.0 * scheduler.heartbeat.as_f64();
        require(
            two_heartbeats < scheduler.lease.as_f64(),
            "scheduler.lease",
            scheduler.lease,
            format!("more than twice scheduler.heartbeat, which is {}", scheduler.heartbeat),
        )?;
        require_time("scheduler.grace", scheduler.grace, HOUR)?;
        require_time("scheduler.claim_timeout", scheduler.claim_timeout, DAY)?;
        require_time("scheduler.least_run", scheduler.least_run, HOUR)?;
        require_time("scheduler.priority_worth", scheduler.priority_worth, 30.0 * DAY)?;
        require_time("scheduler.checkpoint_interval", scheduler.checkpoint_interval, DAY)?;
        require_time("scheduler.hang_limit", scheduler.hang_limit, DAY)
    }

    fn validate_worker(&self) -> Checked {
        let Some(url) = &self.worker.spot_notice_url else { return Ok(()) };
        let right = "the http:// address of a metadata service, such as http://169.254.169.254";
        require(url.starts_with("http://"), "worker.spot_notice_url", format!("{url:?}"), right)
    }

    fn validate_gpu(&self) -> Checked {
        for (class, price) in &self.gpu {
            for (name, usd) in
                [("usd_per_hour", price.usd_per_hour), ("spot_usd_per_hour", price.spot_usd_per_hour)]
            {
                let is_price = usd.is_finite() && 0.0 <= usd;
                require(is_price, format!("gpu.{class}.{name}"), usd, "a number of dollars, 0 or more")?;
            }
            let key = format!("gpu.{class}.memory_mib");
            require(0 < price.memory_mib, key, price.memory_mib, "a number of MiB, 1 or more")?;
        }
        Ok(())
    }

    fn validate_workload(&self, key: &str, workload: &WorkloadPolicy) -> Checked {
        self.validate_classes(&format!("{key}.gpu"), &workload.gpu)?;
        if let Some(large) = &workload.large_batch {
            self.validate_classes(&format!("{key}.large_batch.gpu"), &large.gpu)?;
        }
        let most = longest(workload);
        require_time(format!("{key}.max_timeout"), most, DAY)?;
        require_time(format!("{key}.timeout"), workload.timeout, most.as_f64())?;
        require(1 <= workload.concurrency, format!("{key}.concurrency"), workload.concurrency, "1 or more")?;
        require(1 <= workload.slots, format!("{key}.slots"), workload.slots, "1 or more")?;
        let memory = workload.host_memory_mib.unwrap_or(LEAST_MEMORY_MIB);
        let right = format!("{LEAST_MEMORY_MIB} MiB or more");
        require(LEAST_MEMORY_MIB <= memory, format!("{key}.host_memory_mib"), memory, right)?;
        let share = workload.gpu_memory_share.unwrap_or(1.0);
        let is_share = 0.0 < share && share <= 1.0;
        require(is_share, format!("{key}.gpu_memory_share"), share, "more than 0, at most 1")?;
        validate_retry(&format!("{key}.retry"), &workload.retry)
    }

    fn validate_profiles(&self, name: &Workload, workload: &WorkloadPolicy) -> Checked {
        for (profile, policy) in &workload.profiles {
            let key = format!("workloads.{name}.profiles.{profile}");
            if let Some(gpu) = &policy.gpu {
                self.validate_classes(&format!("{key}.gpu"), gpu)?;
            }
            if let Some(timeout) = policy.timeout {
                require_time(format!("{key}.timeout"), timeout, longest(workload).as_f64())?;
            }
            if let Err(error) = params::check_defaults(name, &policy.params) {
                let given = Value::from(policy.params.clone());
                let right = format!("what a job of {name} takes ({error})");
                require(false, format!("{key}.params"), given, right)?;
            }
        }
        Ok(())
    }

    /// Classes to choose from: at least one, and each with a price.
    fn validate_classes(&self, key: &str, classes: &[GpuClass]) -> Checked {
        let known = self.gpu.keys().map(GpuClass::as_str).collect::<Vec<_>>().join(", ");
        let right = format!("one or more of the classes in [gpu]: {known}");
        require(!classes.is_empty(), key, "empty", &right)?;
        for class in classes {
            require(self.gpu.contains_key(class), key, format!("{:?}", class.as_str()), &right)?;
        }
        Ok(())
    }
}

/// The most that an attempt of a workload may run.
fn longest(workload: &WorkloadPolicy) -> Seconds {
    workload.max_timeout.unwrap_or(Seconds::new(DAY).unwrap_or_default())
}

fn validate_retry(key: &str, retry: &RetryPolicy) -> Checked {
    let coefficient = retry.backoff_coefficient;
    let in_range = coefficient.is_finite() && (1.0..=100.0).contains(&coefficient);
    require(in_range, format!("{key}.backoff_coefficient"), coefficient, "1 to 100")?;
    let day = Seconds::new(DAY).unwrap_or_default();
    require(retry.max_delay <= day, format!("{key}.max_delay"), retry.max_delay, format!("at most {day}"))?;
    require(
        retry.initial_delay <= retry.max_delay,
        format!("{key}.initial_delay"),
        retry.initial_delay,
        format!("at most max_delay, which is {}", retry.max_delay),
    )
}
