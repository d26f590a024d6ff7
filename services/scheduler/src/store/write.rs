//! Writing a batch.

use contract::JobId;
use rusqlite::{Connection, Transaction, params};

use super::{Changes, Entry, JobRow, Letter, StoreError, SweepRow, spend};
use crate::core::{Job, Phase, Sweep};

/// Events that are kept of a job.
const HISTORY_KEPT: i64 = 2_000;

pub(super) fn commit(connection: &mut Connection, changes: &Changes) -> Result<(), StoreError> {
    let transaction = connection.transaction()?;
    // A job may end and go at once, and what it has cost stays.
    save_jobs(&transaction, &changes.jobs)?;
    remove_jobs(&transaction, &changes.removed)?;
    save_sweeps(&transaction, &changes.sweeps)?;
    add_history(&transaction, &changes.history)?;
    move_letters(&transaction, &changes.letters, &changes.sent)?;
    let mut save = transaction.prepare_cached("INSERT OR REPLACE INTO workers (id, body) VALUES (?1, ?2)")?;
    for (id, body) in &changes.workers {
        save.execute(params![id.as_str(), body])?;
    }
    let mut forget = transaction.prepare_cached("DELETE FROM workers WHERE id = ?1")?;
    for id in &changes.forgotten {
        forget.execute([id.as_str()])?;
    }
    drop((save, forget));
    transaction.commit()?;
    Ok(())
}

fn remove_jobs(transaction: &Transaction<'_>, jobs: &[JobId]) -> Result<(), StoreError> {
    let mut remove = transaction.prepare_cached("DELETE FROM jobs WHERE id = ?1")?;
    let mut forget = transaction.prepare_cached("DELETE FROM history WHERE job_id = ?1")?;
    let mut keep_name = transaction.prepare_cached("INSERT OR IGNORE INTO removed_jobs (id) VALUES (?1)")?;
    for job_id in jobs {
        keep_name.execute([job_id.as_str()])?;
        remove.execute([job_id.as_str()])?;
        forget.execute([job_id.as_str()])?;
    }
    Ok(())
}

fn save_jobs(transaction: &Transaction<'_>, jobs: &[JobRow]) -> Result<(), StoreError> {
    let mut save = transaction.prepare_cached(
        "INSERT INTO jobs (id, state, is_end, owner, workload, body, sweep, failure)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (id) DO UPDATE SET state = ?2, is_end = ?3, body = ?6, failure = ?8",
    )?;
    for job in jobs {
        let JobRow { id, state, is_end, owner, workload, sweep, failure, body, .. } = job;
        save.execute(params![id, state, is_end, owner, workload, body, sweep, failure])?;
        spend::save(transaction, job)?;
    }
    Ok(())
}

fn save_sweeps(transaction: &Transaction<'_>, sweeps: &[SweepRow]) -> Result<(), StoreError> {
    let mut save = transaction.prepare_cached(
        "INSERT INTO sweeps (id, is_end, owner, body) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (id) DO UPDATE SET is_end = ?2, body = ?4",
    )?;
    for SweepRow { id, is_end, owner, body } in sweeps {
        save.execute(params![id, is_end, owner, body])?;
    }
    Ok(())
}

fn add_history(transaction: &Transaction<'_>, entries: &[Entry]) -> Result<(), StoreError> {
    let mut add = transaction.prepare_cached(
        "INSERT INTO history (job_id, seq, at, event)
         SELECT ?1, COALESCE(MAX(seq), 0) + 1, ?2, ?3 FROM history WHERE job_id = ?1
         RETURNING seq",
    )?;
    let mut trim = transaction.prepare_cached("DELETE FROM history WHERE job_id = ?1 AND seq <= ?2")?;
    for Entry { job_id, at, event } in entries {
        let seq: i64 =
            add.query_row(params![job_id.as_str(), at.0.cast_signed(), event], |row| row.get(0))?;
        if HISTORY_KEPT < seq {
            trim.execute(params![job_id.as_str(), seq - HISTORY_KEPT])?;
        }
    }
    Ok(())
}

fn move_letters(transaction: &Transaction<'_>, new: &[Letter], sent: &[i64]) -> Result<(), StoreError> {
    let mut add = transaction.prepare_cached(
        "INSERT OR REPLACE INTO outbox (id, exchange, routing_key, body, message_id, traceparent, due)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for Letter { id, exchange, routing_key, body, message_id, traceparent, due } in new {
        let due = due.0.cast_signed();
        add.execute(params![id, exchange, routing_key, body, message_id, traceparent, due])?;
    }
    let mut remove = transaction.prepare_cached("DELETE FROM outbox WHERE id = ?1")?;
    for id in sent {
        remove.execute([id])?;
    }
    Ok(())
}

impl From<&Job> for JobRow {
    fn from(job: &Job) -> Self {
        Self {
            id: job.id.to_string(),
            state: job.state().as_str(),
            is_end: job.state().is_end(),
            owner: job.submission.owner.clone(),
            workload: job.submission.workload.to_string(),
            sweep: job.trial.as_ref().map(|trial| trial.sweep.to_string()),
            failure: match &job.phase {
                Phase::Dead { failure, .. } => Some(failure.class.as_str()),
                _ => None,
            },
            bill: job.bill_so_far(),
            body: serde_json::to_string(job).expect("a job has string keys only"),
        }
    }
}

impl From<&Sweep> for SweepRow {
    fn from(sweep: &Sweep) -> Self {
        Self {
            id: sweep.id.to_string(),
            is_end: sweep.state().is_end(),
            owner: sweep.submission.job.owner.clone(),
            body: serde_json::to_string(sweep).expect("a sweep has string keys only"),
        }
    }
}
