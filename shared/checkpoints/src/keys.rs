//! Where things lie in the store.

use contract::JobId;
use object_store::path::Path as Location;
use uuid::Uuid;

use crate::StoreError;

/// The folder of all jobs.
pub(crate) fn jobs() -> Location {
    Location::from("jobs")
}

/// The folder of all that a job has.
pub(crate) fn job(job: &JobId) -> Location {
    Location::from(format!("jobs/{job}"))
}

/// The folder of a job's log.
pub(crate) fn log(job: &JobId) -> Location {
    Location::from(format!("jobs/{job}/log"))
}

/// An entry of a job's log. Ten digits make the order of names the order of numbers.
pub(crate) fn entry(job: &JobId, number: u64) -> Location {
    Location::from(format!("jobs/{job}/log/{number:010}.json"))
}

/// The number of a log entry.
pub(crate) fn entry_number(location: &Location) -> Option<u64> {
    location.filename()?.strip_suffix(".json")?.parse().ok()
}

/// The folder of a job's checkpoints.
pub(crate) fn data(job: &JobId) -> Location {
    Location::from(format!("jobs/{job}/data"))
}

/// A checkpoint's key that no other call returns.
pub(crate) fn fresh(job: &JobId, token: u32, step: u64) -> String {
    format!("jobs/{job}/data/t{token}-s{step}-{}.safetensors", Uuid::now_v7().simple())
}

/// Whether a key is that of one of the job's checkpoints.
pub(crate) fn is_checkpoint(job: &JobId, key: &str) -> bool {
    let name = key.strip_prefix(&format!("jobs/{job}/data/"));
    name.is_some_and(|name| !name.is_empty() && !name.contains('/')) && Location::parse(key).is_ok()
}

/// Where a job's artifact lies.
pub(crate) fn artifact(job: &JobId, name: &str) -> Result<Location, StoreError> {
    parse(&format!("jobs/{job}/artifacts/{name}"))
}

/// The place that a key names.
pub(crate) fn parse(key: &str) -> Result<Location, StoreError> {
    Location::parse(key).map_err(|error| StoreError::of("use the key", key, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_straight_below_a_jobs_data_are_its_checkpoints() {
        let job = JobId::new("a").unwrap();
        let fresh = fresh(&job, 3, 70);
        assert!(fresh.starts_with("jobs/a/data/t3-s70-"), "{fresh}");
        for (key, expected) in [
            (fresh.as_str(), true),
            ("jobs/b/data/x.safetensors", false),
            ("jobs/a/data/", false),
            ("jobs/a/data/../log/0000000001.json", false),
            ("jobs/a/data/..", false),
            ("jobs/a/log/0000000001.json", false),
            ("/etc/passwd", false),
        ] {
            assert_eq!(is_checkpoint(&job, key), expected, "{key}");
        }
    }

    #[test]
    fn entries_are_numbered_and_anything_else_is_not_an_entry() {
        let job = JobId::new("a").unwrap();
        assert_eq!(entry_number(&entry(&job, 12)), Some(12));
        assert_eq!(entry_number(&Location::from("jobs/a/log/notes.txt")), None);
    }
}
