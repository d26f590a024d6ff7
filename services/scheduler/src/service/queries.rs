//! Questions that only the database can answer.

use broker::{Outgoing, ReplyTo};
use contract::{
    MAX_MESSAGE_BYTES, Refusal, Refused, Timestamp,
    control::{GetHistory, JobList, ListJobs},
    sweep::{ListSweeps, SweepList},
};
use tracing::error;

use crate::{
    core::{Core, summary},
    store::{Store, StoreError},
};

pub(super) enum Query {
    List(ListJobs),
    History(GetHistory),
    Sweeps(ListSweeps),
}

/// The answers. They are asked for after the batch was written, so they know of it.
pub(super) async fn answers(store: &Store, core: &Core, queries: Vec<(ReplyTo, Query)>) -> Vec<Outgoing> {
    let mut answers = Vec::with_capacity(queries.len());
    for (reply_to, query) in queries {
        let answer = match query {
            Query::List(query) => {
                list(store, core, query).await.map(|list| Outgoing::reply(&reply_to, &list))
            }
            Query::Sweeps(query) => {
                sweeps(store, core, query).await.map(|list| Outgoing::reply(&reply_to, &list))
            }
            Query::History(query) => history(store, &reply_to, query).await,
        };
        answers.push(answer.unwrap_or_else(|error| {
            error!(error = &error as &dyn std::error::Error, "cannot read the database");
            let message = "the scheduler cannot read its database just now";
            Outgoing::reply(&reply_to, &Refused::new(Refusal::Unavailable, message))
        }));
    }
    answers
}

async fn list(store: &Store, core: &Core, query: ListJobs) -> Result<JobList, StoreError> {
    let now = Timestamp::now();
    let (rows, more) = store.list(query).await?;
    // A job in memory is newer than its row by what its heartbeats told.
    let jobs = rows.iter().map(|row| summary(core.job(&row.id).unwrap_or(row), now)).collect();
    Ok(JobList { jobs, more })
}

async fn sweeps(store: &Store, core: &Core, query: ListSweeps) -> Result<SweepList, StoreError> {
    let (rows, more) = store.sweeps(query).await?;
    let newest = rows.iter().map(|row| core.sweep(&row.id).unwrap_or(row));
    let mut list = SweepList { sweeps: newest.map(|sweep| core.sweep_summary(sweep)).collect(), more };
    while MAX_MESSAGE_BYTES < contract::encode(&list).len() && 1 < list.sweeps.len() {
        list.sweeps.truncate(list.sweeps.len() / 2);
        list.more = true;
    }
    Ok(list)
}

async fn history(store: &Store, to: &ReplyTo, query: GetHistory) -> Result<Outgoing, StoreError> {
    let unknown = format!("there is no job {}", query.job_id);
    Ok(match store.history(query).await? {
        Some(history) => Outgoing::reply(to, &history),
        None => Outgoing::reply(to, &Refused::new(Refusal::NotFound, unknown)),
    })
}
