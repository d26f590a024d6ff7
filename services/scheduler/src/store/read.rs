//! Reading.

use contract::{
    JobId, MAX_MESSAGE_BYTES, SweepId, Timestamp,
    control::{GetHistory, History, HistoryEntry, ListJobs},
    sweep::ListSweeps,
};
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter, types::Value};
use serde::de::DeserializeOwned;

use super::{Letter, Recalled, StoreError};
use crate::core::{Job, Sweep, Worker};

/// What a page of history may come to beside the envelope and each entry's own fields.
const PAGE_BYTES: usize = MAX_MESSAGE_BYTES - 2048;
const ENTRY_BYTES: usize = 64;
/// Jobs that a scheduler learns from when it starts.
const SUCCEEDED_LEARNT_FROM: usize = 256;

pub(super) fn live(connection: &Connection) -> Result<Vec<Job>, StoreError> {
    bodies(connection, "SELECT id, body FROM jobs WHERE is_end = 0 ORDER BY seq", Vec::new())
}

pub(super) fn succeeded(connection: &Connection) -> Result<Vec<Job>, StoreError> {
    let sql = format!(
        "SELECT id, body FROM jobs WHERE state = 'succeeded' ORDER BY seq DESC LIMIT {SUCCEEDED_LEARNT_FROM}"
    );
    let mut jobs: Vec<Job> = bodies(connection, &sql, Vec::new())?;
    jobs.reverse();
    Ok(jobs)
}

pub(super) fn live_sweeps(connection: &Connection) -> Result<Vec<Sweep>, StoreError> {
    bodies(connection, "SELECT id, body FROM sweeps WHERE is_end = 0 ORDER BY seq", Vec::new())
}

pub(super) fn recall_sweeps(connection: &Connection, ids: &[SweepId]) -> Result<Vec<Sweep>, StoreError> {
    let mut sweeps = Vec::new();
    for id in ids {
        let id = Value::Text(id.to_string());
        sweeps.extend(bodies::<Sweep>(connection, "SELECT id, body FROM sweeps WHERE id = ?1", vec![id])?);
    }
    Ok(sweeps)
}

pub(super) fn sweeps(connection: &Connection, query: &ListSweeps) -> Result<(Vec<Sweep>, bool), StoreError> {
    let text = |text: Option<&str>| text.map_or(Value::Null, |text| Value::Text(text.into()));
    let values = vec![text(query.owner.as_deref()), text(query.before.as_ref().map(SweepId::as_str))];
    let sql = format!(
        "SELECT id, body FROM sweeps WHERE (?1 IS NULL OR owner = ?1)
         AND (?2 IS NULL OR seq < (SELECT seq FROM sweeps WHERE id = ?2)) ORDER BY seq DESC LIMIT {}",
        ListSweeps::MOST + 1
    );
    let mut sweeps: Vec<Sweep> = bodies(connection, &sql, values)?;
    let more = ListSweeps::MOST < sweeps.len();
    sweeps.truncate(ListSweeps::MOST);
    Ok((sweeps, more))
}

pub(super) fn workers(connection: &Connection) -> Result<Vec<Worker>, StoreError> {
    bodies(connection, "SELECT id, body FROM workers", Vec::new())
}

pub(super) fn letters(connection: &Connection) -> Result<Vec<Letter>, StoreError> {
    let mut statement = connection.prepare(
        "SELECT id, exchange, routing_key, body, message_id, traceparent, due FROM outbox ORDER BY id",
    )?;
    let letters = statement.query_map([], |row| {
        Ok(Letter {
            id: row.get(0)?,
            exchange: row.get(1)?,
            routing_key: row.get(2)?,
            body: row.get(3)?,
            message_id: row.get(4)?,
            traceparent: row.get(5)?,
            due: timestamp(row, 6)?,
        })
    })?;
    Ok(letters.collect::<Result<_, _>>()?)
}

pub(super) fn recall(connection: &Connection, ids: &[JobId]) -> Result<Recalled, StoreError> {
    let mut find = connection.prepare_cached("SELECT body FROM jobs WHERE id = ?1")?;
    let mut find_removed = connection.prepare_cached("SELECT 1 FROM removed_jobs WHERE id = ?1")?;
    let mut recalled = Recalled::default();
    for id in ids {
        let body: Option<String> = find.query_row([id.as_str()], |row| row.get(0)).optional()?;
        match body {
            Some(body) => recalled.jobs.push(parsed(id.as_str(), &body)?),
            None if find_removed.exists([id.as_str()])? => recalled.removed.push(id.clone()),
            None => {}
        }
    }
    Ok(recalled)
}

pub(super) fn list(connection: &Connection, query: &ListJobs) -> Result<(Vec<Job>, bool), StoreError> {
    let limit = match query.limit {
        0 => ListJobs::DEFAULT_LIMIT,
        limit => limit.min(ListJobs::MAX_LIMIT),
    } as usize;
    let mut conditions = vec!["TRUE".to_owned()];
    let mut values: Vec<Value> = Vec::new();
    let mut where_is = |condition: &str, value: &str| {
        values.push(Value::Text(value.to_owned()));
        conditions.push(condition.replace('?', &format!("?{}", values.len())));
    };
    if let Some(owner) = &query.owner {
        where_is("owner = ?", owner);
    }
    if let Some(workload) = &query.workload {
        where_is("workload = ?", workload.as_str());
    }
    if let Some(sweep) = &query.sweep {
        where_is("sweep = ?", sweep.as_str());
    }
    if let Some(before) = &query.before {
        where_is("seq < (SELECT seq FROM jobs WHERE id = ?)", before.as_str());
    }
    if !query.failures.is_empty() {
        let classes: Vec<&str> = query.failures.iter().map(|class| class.as_str()).collect();
        conditions.push(format!("failure IN ('{}')", classes.join("', '")));
    }
    if !query.states.is_empty() {
        let states: Vec<&str> = query.states.iter().map(|state| state.as_str()).collect();
        conditions.push(format!("state IN ('{}')", states.join("', '")));
    }
    let sql = format!(
        "SELECT id, body FROM jobs WHERE {} ORDER BY seq DESC LIMIT {}",
        conditions.join(" AND "),
        limit + 1
    );
    let mut jobs: Vec<Job> = bodies(connection, &sql, values)?;
    let more = limit < jobs.len();
    jobs.truncate(limit);
    Ok((jobs, more))
}

pub(super) fn history(connection: &Connection, query: &GetHistory) -> Result<Option<History>, StoreError> {
    let id = query.job_id.as_str();
    let exists = connection.prepare_cached("SELECT 1 FROM jobs WHERE id = ?1")?.exists([id])?;
    if !exists {
        return Ok(None);
    }
    let mut statement = connection
        .prepare_cached("SELECT seq, at, event FROM history WHERE job_id = ?1 AND ?2 < seq ORDER BY seq")?;
    let after = i64::try_from(query.after).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![id, after])?;
    let mut page = History { entries: Vec::new(), more: false };
    let mut bytes = 0;
    while let Some(row) = rows.next()? {
        let event: String = row.get(2)?;
        bytes += event.len() + ENTRY_BYTES;
        if PAGE_BYTES < bytes && !page.entries.is_empty() {
            page.more = true;
            break;
        }
        let seq: i64 = row.get(0)?;
        let event = parsed("an event", &event)?;
        page.entries.push(HistoryEntry { seq: seq.cast_unsigned(), at: timestamp(row, 1)?, event });
    }
    Ok(Some(page))
}

/// Reads rows of (id, JSON).
fn bodies<T: DeserializeOwned>(
    connection: &Connection,
    sql: &str,
    values: Vec<Value>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut bodies = Vec::new();
    while let Some(row) = rows.next()? {
        let (id, body): (String, String) = (row.get(0)?, row.get(1)?);
        bodies.push(parsed(&id, &body)?);
    }
    Ok(bodies)
}

fn parsed<T: DeserializeOwned>(what: &str, body: &str) -> Result<T, StoreError> {
    serde_json::from_str(body).map_err(|error| StoreError::Unreadable { what: what.into(), error })
}

fn timestamp(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    row.get::<_, i64>(column).map(|ms| Timestamp(ms.cast_unsigned()))
}
