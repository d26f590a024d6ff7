//! One connection that comes back.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use contract::names::WORK_EXCHANGE;
use tokio::{sync::watch, time::timeout};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};
use tracing::warn;

use crate::{
    ConnectError, Outgoing,
    asker::{self, Asker},
    declare::declare,
    dial::Dialer,
    lane::{self, Lane},
    line::{Keeper, Line},
    topology,
};

/// How long [`Broker::close`] waits for confirms.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);
/// Many messages at a time, and one by one.
const WINDOWED: lane::Settings = lane::Settings { window: 256, mandatory: false };
const MANDATORY: lane::Settings = lane::Settings { window: 1, mandatory: true };
/// AMQP keys have at most 255 bytes, and the words of the delay levels take 40 of them.
const LONGEST_QUEUE_NAME: usize = 200;

/// How to reach the broker.
#[derive(Debug, Clone)]
pub struct BrokerOptions {
    /// AMQP address, password included. It never appears in logs.
    pub url: String,
    /// AMQP heartbeat interval.
    pub heartbeat: Duration,
    /// What the broker's own tools show for this connection, such as `scheduler`.
    pub name: String,
}

/// A line to the broker that outlives the connections it is made of: when one breaks, it connects again, declares
/// the topology again and sends again what was not confirmed. Cheap to clone; the line ends with [`Broker::close`],
/// or with the last clone.
#[derive(Debug, Clone)]
pub struct Broker {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    name: String,
    dialer: Arc<Dialer>,
    line: Line,
    online: watch::Receiver<bool>,
    lanes: Lanes,
    asker: Asker,
    /// The lanes and the asker, which finish what they have when nobody can give them more.
    senders: TaskTracker,
    /// All other tasks, which end with `closed`.
    tasks: TaskTracker,
    finish: CancellationToken,
    closed: CancellationToken,
    _close_when_dropped: [DropGuard; 2],
}

/// The ways for messages. RabbitMQ hands back a mandatory message that no queue takes, but lapin cannot tell to which
/// of several unconfirmed publishes it belongs; so these go one at a time. And a quorum queue without a leader holds up
/// for half a minute whatever else is published on the same channel, so each work queue has one of its own.
#[derive(Debug, Clone)]
pub(crate) struct Lanes {
    pub(crate) windowed: Lane,
    pub(crate) mandatory: Lane,
    work: Arc<Mutex<BTreeMap<String, Lane>>>,
    line: Line,
    finish: CancellationToken,
    senders: TaskTracker,
}

impl Lanes {
    fn start(line: Line, finish: CancellationToken, senders: TaskTracker) -> Self {
        let lane = |settings| Lane::start(settings, line.clone(), finish.clone(), &senders);
        let (windowed, mandatory) = (lane(WINDOWED), lane(MANDATORY));
        Self { windowed, mandatory, work: Arc::default(), line, finish, senders }
    }

    /// The way for one message of many.
    pub(crate) fn of_many(&self, message: &Outgoing) -> Lane {
        if message.exchange != WORK_EXCHANGE || !message.delay.is_zero() {
            return self.windowed.clone();
        }
        let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        let start = || Lane::start(WINDOWED, self.line.clone(), self.finish.clone(), &self.senders);
        work.entry(message.routing_key.clone()).or_insert_with(start).clone()
    }
}

impl Broker {
    /// Connects, and declares exchanges and queues. Tries until `stop`, but fails at once on what waiting cannot mend:
    /// a bad address, bad credentials, a topology that differs from what exists. Once connected, `stop` has no effect.
    ///
    /// # Errors
    /// [`ConnectError`] says what is wrong.
    pub async fn connect(options: BrokerOptions, stop: &CancellationToken) -> Result<Self, ConnectError> {
        let dialer = Arc::new(Dialer::new(&options)?);
        let (finish, closed) = (CancellationToken::new(), CancellationToken::new());
        let keeper = Keeper::new(dialer.clone(), closed.clone());
        keeper.open(stop).await?;

        let (line, online) = (keeper.line(), keeper.online());
        let senders = TaskTracker::new();
        let lanes = Lanes::start(line.clone(), finish.clone(), senders.clone());
        let asker = asker::start(line.clone(), finish.clone(), &senders);
        let tasks = TaskTracker::new();
        tasks.spawn(keeper.keep());

        Ok(Self {
            inner: Arc::new(Inner {
                name: options.name,
                dialer,
                line,
                online,
                lanes,
                asker,
                senders,
                tasks,
                _close_when_dropped: [finish.clone().drop_guard(), closed.clone().drop_guard()],
                finish,
                closed,
            }),
        })
    }

    /// Whether there is a connection now.
    pub fn online(&self) -> watch::Receiver<bool> {
        self.inner.online.clone()
    }

    /// Declares the queue of attempts for a workload, class and tier, under the name of [`contract::names::work_queue`].
    /// It is declared again after a reconnect.
    ///
    /// # Errors
    /// [`ConnectError::QueueName`] when it is empty or too long, [`ConnectError::Mismatch`] when it exists with other
    /// arguments.
    pub async fn ensure_work_queue(&self, queue: &str) -> Result<(), ConnectError> {
        if !(1..=LONGEST_QUEUE_NAME).contains(&queue.len()) {
            return Err(ConnectError::QueueName(queue.into()));
        }
        let topology = topology::work_queue(queue);
        let mut line = self.line();
        loop {
            let session = line.session().await.ok_or(ConnectError::Closed)?;
            let declared = tokio::select! {
                declared = declare(session.connection(), &topology) => declared,
                () = session.lost() => continue,
            };
            match declared {
                Ok(()) => {
                    self.inner.dialer.remember_work_queue(queue);
                    // The next session is complete only if the queue was remembered before it was made.
                    if !session.is_lost() {
                        return Ok(());
                    }
                }
                Err(error) if error.is_final() => return Err(error),
                Err(_) => line.pause(Duration::from_millis(100)).await,
            }
        }
    }

    /// Waits a few seconds for outstanding confirms, then closes the connection. Consumers end, and whatever is
    /// published afterwards fails.
    pub async fn close(&self) {
        self.inner.finish.cancel();
        self.inner.senders.close();
        if timeout(CLOSE_LIMIT, self.inner.senders.wait()).await.is_err() {
            warn!("closing the line to RabbitMQ although some messages were not confirmed");
        }
        self.inner.closed.cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
        self.inner.senders.wait().await;
    }

    pub(crate) fn name(&self) -> &str {
        &self.inner.name
    }

    pub(crate) fn line(&self) -> Line {
        self.inner.line.clone()
    }

    pub(crate) fn lanes(&self) -> &Lanes {
        &self.inner.lanes
    }

    pub(crate) fn asker(&self) -> &Asker {
        &self.inner.asker
    }

    pub(crate) fn tasks(&self) -> &TaskTracker {
        &self.inner.tasks
    }

    pub(crate) fn closed(&self) -> &CancellationToken {
        &self.inner.closed
    }
}
