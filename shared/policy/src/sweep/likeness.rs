//! What failures of different trials have in common.

use contract::{Failure, JobId};

/// As much of an explanation as tells failures apart, in characters.
const LONGEST: usize = 200;

/// The failure without what is the trial's own: its name, and every number. Two trials whose failures are alike have
/// died the same way.
pub fn likeness(failure: &Failure, job_id: &JobId) -> String {
    let message = failure.message.replace(job_id.as_str(), "JOB");
    let mut alike = format!("{}: ", failure.class);
    let mut in_number = false;
    for c in message.chars() {
        let is_number = c.is_ascii_digit() || (in_number && c == '.');
        if !is_number {
            alike.push(c);
        } else if !in_number {
            alike.push('#');
        }
        in_number = is_number;
    }
    match alike.char_indices().nth(LONGEST) {
        Some((end, _)) => alike[..end].to_owned(),
        None => alike,
    }
}
