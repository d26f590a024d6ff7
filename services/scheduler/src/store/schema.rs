//! The tables, and how an older file gets them.

use std::{path::Path, time::Duration};

use rusqlite::Connection;

use super::StoreError;

/// What brings a file from each schema to the next. Released ones are never changed.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE jobs (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        state TEXT NOT NULL,
        is_end INTEGER NOT NULL,
        owner TEXT NOT NULL,
        workload TEXT NOT NULL,
        body TEXT NOT NULL
    ) STRICT;
    CREATE INDEX live_jobs ON jobs (seq) WHERE is_end = 0;
    CREATE INDEX jobs_by_state ON jobs (state, seq);
    CREATE INDEX jobs_by_owner ON jobs (owner, seq);

    CREATE TABLE history (
        job_id TEXT NOT NULL,
        seq INTEGER NOT NULL,
        at INTEGER NOT NULL,
        event TEXT NOT NULL,
        PRIMARY KEY (job_id, seq)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE outbox (
        id INTEGER PRIMARY KEY,
        exchange TEXT NOT NULL,
        routing_key TEXT NOT NULL,
        body BLOB NOT NULL,
        message_id TEXT,
        traceparent TEXT,
        due INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE workers (
        id TEXT PRIMARY KEY,
        body TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
",
    "
    CREATE TABLE removed_jobs (id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
",
    "
    ALTER TABLE jobs ADD COLUMN sweep TEXT;
    CREATE INDEX jobs_by_sweep ON jobs (sweep, seq) WHERE sweep IS NOT NULL;
    CREATE TABLE sweeps (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        is_end INTEGER NOT NULL,
        owner TEXT NOT NULL,
        body TEXT NOT NULL
    ) STRICT;
    CREATE INDEX live_sweeps ON sweeps (seq) WHERE is_end = 0;
",
    "
    CREATE TABLE spend (
        job_id TEXT NOT NULL,
        month TEXT NOT NULL,
        gpu TEXT NOT NULL,
        tier TEXT NOT NULL,
        owner TEXT NOT NULL,
        workload TEXT NOT NULL,
        sweep TEXT,
        ms INTEGER NOT NULL,
        usd REAL NOT NULL,
        usd_on_demand REAL NOT NULL,
        PRIMARY KEY (job_id, month, gpu, tier)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX spend_by_month ON spend (month, owner, usd);
",
    "
    ALTER TABLE jobs ADD COLUMN failure TEXT;
    UPDATE jobs SET failure = json_extract(body, '$.phase.failure.class') WHERE state = 'dead';
    CREATE INDEX jobs_by_failure ON jobs (failure, seq) WHERE failure IS NOT NULL;
",
];

/// How long another program that reads the file, a backup say, is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| StoreError::Folder { path: path.into(), error })?;
    }
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // A batch that was acknowledged survives the loss of power.
    connection.pragma_update(None, "synchronous", "FULL")?;
    migrate(&mut connection)?;
    Ok(connection)
}

fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let found: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let newest = MIGRATIONS.len() as u32;
    if newest < found {
        return Err(StoreError::Newer { found, newest });
    }
    let transaction = connection.transaction()?;
    for migration in &MIGRATIONS[found as usize..] {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", newest)?;
    transaction.commit()?;
    Ok(())
}
