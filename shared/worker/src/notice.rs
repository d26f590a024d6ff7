//! The notice that a cloud gives before it takes a machine away, watched for beside everything else. What goes wrong
//! here is said once and harms nothing: the machine's SIGTERM remains.

mod aws;
mod azure;
mod gcp;
mod http;

use std::{fmt, time::Duration};

use settings::{SpotNotice, WorkerSettings};
use tokio::{sync::watch, task::JoinSet, time::sleep};
use tokio_util::sync::CancellationToken;

use self::{aws::Aws, azure::Azure, gcp::Gcp, http::LookError};
use crate::{thread::on_thread, worker::Worker};

/// How long a worker that starts waits for the first answer before it takes work.
const FIRST_ANSWER: Duration = Duration::from_secs(1);
/// How often a machine that does not answer is asked again.
const AGAIN: Duration = Duration::from_secs(5);

/// What a cloud says it will do to this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice(String);

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A cloud's service on this machine. Each looks in its own way; all of them block meanwhile.
enum Source {
    Aws(Aws),
    Gcp(Gcp),
    Azure(Azure),
}

impl Source {
    /// Where to look by the settings; `None` where nowhere.
    fn of(settings: &WorkerSettings) -> Option<Self> {
        let url = settings.spot_notice_url.as_deref();
        match settings.spot_notice {
            SpotNotice::Off => None,
            SpotNotice::Aws => Some(Self::Aws(Aws::new(url))),
            SpotNotice::Gcp => Some(Self::Gcp(Gcp::new(url))),
            SpotNotice::Azure => Some(Self::Azure(Azure::new(url))),
        }
    }

    /// The notice, if there is one by now.
    fn look(&mut self) -> Result<Option<Notice>, LookError> {
        match self {
            Self::Aws(aws) => aws.look(),
            Self::Gcp(gcp) => gcp.look(),
            Self::Azure(azure) => azure.look(),
        }
    }

    /// How long to wait between looks.
    fn pause(&self) -> Duration {
        match self {
            Self::Aws(_) => aws::PAUSE,
            Self::Gcp(_) => gcp::PAUSE,
            Self::Azure(_) => azure::PAUSE,
        }
    }
}

/// What was seen last.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    NothingYet,
    Staying,
    Going(Notice),
}

/// Looks for notices as long as it lives.
pub(crate) struct Lookout {
    seen: watch::Receiver<Seen>,
    _looking: JoinSet<()>,
}

impl Lookout {
    /// Begins to look where the settings say.
    pub(crate) fn start(settings: &WorkerSettings) -> Self {
        let (sender, seen) = watch::channel(Seen::NothingYet);
        let mut looking = JoinSet::new();
        if let Some(source) = Source::of(settings) {
            looking.spawn(keep_looking(source, sender));
        }
        Self { seen, _looking: looking }
    }

    /// Ends at once unless this machine is about to go: then when that is called off, or at `stop`. So a worker that is
    /// started again after it has handed everything back takes no more.
    pub(crate) async fn while_going(&mut self, stop: &CancellationToken) {
        let first = self.seen.wait_for(|seen| *seen != Seen::NothingYet);
        let Ok(Ok(first)) =
            tokio::time::timeout(FIRST_ANSWER, first).await.map(|seen| seen.map(|s| s.clone()))
        else {
            return;
        };
        if let Seen::Going(notice) = first {
            tracing::warn!(%notice, "this machine is about to go, so it takes no work");
            // Whoever looked is gone only when this process ends.
            let _ = stop.run_until_cancelled(self.seen.wait_for(|seen| *seen == Seen::Staying)).await;
        }
    }

    /// Has `worker` hand back what it runs as soon as there is a notice, and ends then or at `end`.
    pub(crate) async fn guard(&mut self, worker: &Worker, end: &CancellationToken) {
        let going = self.seen.wait_for(|seen| matches!(seen, Seen::Going(_)));
        let Some(Ok(seen)) = end.run_until_cancelled(going).await else { return };
        if let Seen::Going(notice) = &*seen {
            worker.preempt(notice.clone());
        }
    }
}

async fn keep_looking(mut source: Source, seen: watch::Sender<Seen>) {
    let mut is_silent = false;
    loop {
        // The request must not hold up the end of the process, as work of the runtime's own would.
        let looked = on_thread("notice", move || {
            let looked = source.look();
            (source, looked)
        });
        let looked = match looked.await {
            Ok((same, looked)) => {
                source = same;
                looked
            }
            Err(died) => {
                tracing::error!(error = &died as &dyn std::error::Error, "nobody looks for notices any more");
                return;
            }
        };
        match looked {
            Ok(notice) => {
                if std::mem::take(&mut is_silent) {
                    tracing::info!("the machine's metadata service answers again");
                }
                seen.send_replace(notice.map_or(Seen::Staying, Seen::Going));
                sleep(source.pause()).await;
            }
            Err(error) => {
                if !std::mem::replace(&mut is_silent, true) {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "no answer whether this machine stays; asking again until there is one"
                    );
                }
                sleep(AGAIN).await;
            }
        }
    }
}
