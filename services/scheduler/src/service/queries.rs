//! Questions that only the database can answer.

use broker::{Outgoing, ReplyTo};
use contract::{
    Refusal, Refused, Timestamp,
    control::{GetHistory, JobList, ListJobs},
};
use tracing::error;

use crate::{
    core::{Core, summary},
    store::{Store, StoreError},
};

pub(super) enum Query {
    List(ListJobs),
    History(GetHistory),
}

/// The answers. They are asked for after the batch was written, so they know of it.
pub(super) async fn answers(store: &Store, core: &Core, queries: Vec<(ReplyTo, Query)>) -> Vec<Outgoing> {
    let mut answers = Vec::with_capacity(queries.len());
    for (reply_to, query) in queries {
        let answer = match query {
            Query::List(query) => {
                list(store, core, query).await.map(|list| Outgoing::reply(&reply_to, &list))
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

async fn history(store: &Store, to: &ReplyTo, query: GetHistory) -> Result<Outgoing, StoreError> {
    let unknown = format!("there is no job {}", query.job_id);
    Ok(match store.history(query).await? {
        Some(history) => Outgoing::reply(to, &history),
        None => Outgoing::reply(to, &Refused::new(Refusal::NotFound, unknown)),
    })
}
