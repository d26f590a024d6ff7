//! Asking the services.

use std::time::Duration;

use anyhow::Context;
use broker::{Broker, BrokerOptions, ConnectError, Consumer, RequestError};
use contract::{
    JobId, Refusal, Request,
    control::{GetJob, JobView, ListJobs},
};
use settings::Settings;
use tokio_util::sync::CancellationToken;

use crate::exit::{NoBroker, NotFound};

/// How long the broker may take to answer.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// How long a service may take to answer what it knows.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// How many jobs are looked through for the one that is meant.
const JOBS_LOOKED_THROUGH: u32 = 200;

/// A line to the services.
#[derive(Debug)]
pub(crate) struct Client {
    broker: Broker,
}

impl Client {
    /// Connects to the broker of `settings`.
    pub(crate) async fn connect(settings: &Settings) -> anyhow::Result<Self> {
        let url = settings.broker_url();
        let options = BrokerOptions {
            url: url.clone(),
            heartbeat: settings.broker.heartbeat.to_duration(),
            name: "cli".into(),
        };
        let stop = CancellationToken::new();
        let connecting = Broker::connect(options, &stop);
        let Ok(connected) = tokio::time::timeout(CONNECT_LIMIT, connecting).await else {
            let address = without_password(&url).to_owned();
            return Err(NoBroker { address, seconds: CONNECT_LIMIT.as_secs() }.into());
        };
        Ok(Self { broker: connected? })
    }

    /// Asks, and waits as long as a service takes to look something up.
    pub(crate) async fn ask<R: Request>(&self, request: &R) -> Result<R::Reply, RequestError> {
        self.ask_within(ANSWER_LIMIT, request).await
    }

    /// Asks, and waits for `limit`.
    pub(crate) async fn ask_within<R: Request>(
        &self,
        limit: Duration,
        request: &R,
    ) -> Result<R::Reply, RequestError> {
        self.broker.request(request, limit).await
    }

    /// Listens to events from now on; see [`Broker::listen`].
    pub(crate) async fn listen(&self, keys: &[&str]) -> Result<Consumer, ConnectError> {
        self.broker.listen(keys).await
    }

    /// The job called `name`: its id, or what no other recent job's id begins or ends with.
    pub(crate) async fn job(&self, name: &JobId) -> anyhow::Result<JobView> {
        let not_found = match self.ask(&GetJob { job_id: name.clone() }).await {
            Err(RequestError::Refused(refused)) if refused.reason == Refusal::NotFound => refused,
            answer => return Ok(answer?),
        };
        let recent = ListJobs { limit: JOBS_LOOKED_THROUGH, ..ListJobs::default() };
        let recent = self.ask(&recent).await.context("cannot look for the job")?;
        let ids: Vec<JobId> = recent.jobs.into_iter().map(|job| job.job_id).collect();
        match meant(name.as_str(), &ids)? {
            Some(job_id) => Ok(self.ask(&GetJob { job_id: job_id.clone() }).await?),
            None => Err(RequestError::from(not_found).into()),
        }
    }

    /// The id of the job called `name`.
    pub(crate) async fn job_id(&self, name: &JobId) -> anyhow::Result<JobId> {
        Ok(self.job(name).await?.job_id)
    }
}

/// The one of `ids` that begins or ends with `part`.
fn meant<'a>(part: &str, ids: &'a [JobId]) -> Result<Option<&'a JobId>, NotFound> {
    let fits = |id: &&JobId| id.as_str().starts_with(part) || id.as_str().ends_with(part);
    let mut candidates = ids.iter().filter(fits);
    let first = candidates.next();
    let others = candidates.count();
    if 0 < others {
        return Err(NotFound(format!("{part:?} could be any of {} jobs; give more of the id", others + 1)));
    }
    Ok(first)
}

/// Host and port of an AMQP address, and its virtual host unless that is the default one.
pub(crate) fn without_password(url: &str) -> &str {
    let (_, address) = url.split_once("://").unwrap_or(("", url));
    let address = address.rsplit_once('@').map_or(address, |(_, host)| host);
    address.trim_end_matches("/%2f").trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn part_of_an_id_is_enough_while_it_is_one_job() {
        let ids: Vec<JobId> = ["0192aa-1", "0192ab-2", "cats"].map(|id| id.parse().unwrap()).into();
        assert_eq!(meant("0192aa", &ids).unwrap(), Some(&ids[0]));
        assert_eq!(meant("-2", &ids).unwrap(), Some(&ids[1]));
        assert_eq!(meant("dogs", &ids).unwrap(), None);
        let error = meant("0192", &ids).unwrap_err().to_string();
        assert_eq!(error, "\"0192\" could be any of 2 jobs; give more of the id");
    }

    #[test]
    fn an_address_is_shown_without_its_password() {
        assert_eq!(without_password("amqp://user:p@ss@host:5672/%2f"), "host:5672");
        assert_eq!(without_password("amqp://user:pass@host:5672/mine"), "host:5672/mine");
        assert_eq!(without_password("amqp://host"), "host");
    }
}
