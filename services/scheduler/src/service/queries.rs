//! Questions that only the database can answer.

use std::collections::HashSet;

use broker::{Outgoing, ReplyTo};
use contract::{
    MAX_MESSAGE_BYTES, Refusal, Refused, Seconds, Timestamp,
    control::{Cost, CostSum, GetCost, GetHistory, JobList, ListJobs},
    sweep::{ListSweeps, SweepList},
};
use tracing::error;

use crate::{
    core::Core,
    store::{Store, StoreError},
};

pub(super) enum Query {
    List(ListJobs),
    History(GetHistory),
    Cost(GetCost),
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
            Query::Cost(query) => cost(store, query).await.map(|cost| Outgoing::reply(&reply_to, &cost)),
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
    let jobs = rows.iter().map(|row| core.summary(core.job(&row.id).unwrap_or(row), now)).collect();
    let mut list = JobList { jobs, more };
    while MAX_MESSAGE_BYTES < contract::encode(&list).len() && 1 < list.jobs.len() {
        list.jobs.truncate(list.jobs.len() / 2);
        list.more = true;
    }
    Ok(list)
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

async fn cost(store: &Store, query: GetCost) -> Result<Cost, StoreError> {
    let lines = store.cost(query).await?;
    let total = lines.iter().fold(CostSum::default(), |total, line| CostSum {
        running: Seconds::from(total.running.to_duration() + line.sum.running.to_duration()),
        usd: total.usd + line.sum.usd,
        saved_usd: total.saved_usd + line.sum.saved_usd,
    });
    let mut cost = Cost { lines, omitted: 0, total };
    fit(&mut cost);
    Ok(cost)
}

/// Leaves out the smallest sums, until the answer fits into a message.
fn fit(cost: &mut Cost) {
    while MAX_MESSAGE_BYTES < contract::encode(cost).len() {
        let mut sums: Vec<(f64, usize)> =
            cost.lines.iter().enumerate().map(|(at, line)| (line.sum.usd, at)).collect();
        sums.sort_by(|a, b| a.0.total_cmp(&b.0));
        let smallest: HashSet<usize> = sums.iter().take(sums.len() / 8 + 1).map(|(_, at)| *at).collect();
        cost.omitted += smallest.len() as u64;
        let mut at = 0..;
        cost.lines.retain(|_| at.next().is_some_and(|at| !smallest.contains(&at)));
    }
}

async fn history(store: &Store, to: &ReplyTo, query: GetHistory) -> Result<Outgoing, StoreError> {
    let unknown = format!("there is no job {}", query.job_id);
    Ok(match store.history(query).await? {
        Some(history) => Outgoing::reply(to, &history),
        None => Outgoing::reply(to, &Refused::new(Refusal::NotFound, unknown)),
    })
}

#[cfg(test)]
mod tests {
    use contract::{Tier, control::CostLine};

    use super::*;

    #[test]
    fn the_smallest_sums_are_left_out_of_an_answer_that_is_too_large() {
        let line = |n: u32| CostLine {
            group: Some(format!("owner-{n:05}")),
            gpu: "t4".parse().unwrap(),
            tier: Tier::Spot,
            sum: CostSum { usd: f64::from(n * 7_919 % 1_000), ..CostSum::default() },
        };
        let all: Vec<CostLine> = (0..1_000).map(line).collect();
        let mut cost = Cost { lines: all.clone(), omitted: 0, total: CostSum::default() };
        fit(&mut cost);
        assert!(contract::encode(&cost).len() <= MAX_MESSAGE_BYTES);
        assert!(400 < cost.lines.len(), "as many as fit, or nearly: {}", cost.lines.len());
        assert_eq!(cost.lines.len() as u64 + cost.omitted, 1_000);
        let least = f64::from(u32::try_from(cost.omitted).unwrap());
        let dearest: Vec<CostLine> = all.into_iter().filter(|line| least <= line.sum.usd).collect();
        assert_eq!(cost.lines, dearest, "the dearest, in the order in which they were");
    }
}
