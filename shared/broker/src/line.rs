//! One connection after the other: who holds the line asks it for the present session and, when that is lost, for the
//! next one.

use std::{io, sync::Arc, time::Duration};

use futures::StreamExt;
use lapin::{Connection, Event};
use tokio::{
    sync::watch,
    time::{interval, sleep},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::{ConnectError, backoff::Backoff, dial::Dialer};

/// How often the connection is looked at besides waiting for its events: some ends come without one.
const LOOK: Duration = Duration::from_millis(500);

/// A connection, until it is lost.
#[derive(Debug)]
pub(crate) struct Session {
    connection: Connection,
    lost: CancellationToken,
}

impl Session {
    pub(crate) fn new(connection: Connection) -> Self {
        Self { connection, lost: CancellationToken::new() }
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.lost.is_cancelled() || !self.connection.status().connected()
    }

    /// Returns once the connection is gone.
    pub(crate) async fn lost(&self) {
        self.lost.cancelled().await;
    }

    /// What comes of something that is done on the connection, or an error once that is gone: lapin may leave what was under way
    /// then without an outcome, for ever.
    pub(crate) async fn outcome<T>(&self, doing: impl Future<Output = lapin::Result<T>>) -> lapin::Result<T> {
        let done = self.lost.run_until_cancelled(doing).await;
        done.unwrap_or_else(|| Err(io::Error::from(io::ErrorKind::ConnectionAborted).into()))
    }

    /// Watches the connection until it is gone.
    async fn watch(&self) {
        let mut events = std::pin::pin!(self.connection.events_listener());
        let mut look = interval(LOOK);
        while self.connection.status().connected() {
            tokio::select! {
                Some(event) = events.next() => tell(&event),
                _ = look.tick() => {}
            }
        }
        self.lost.cancel();
    }
}

/// A holder's end of the line.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    sessions: watch::Receiver<Option<Arc<Session>>>,
    closed: CancellationToken,
}

impl Line {
    /// The present session, or the next one; `None` once the broker is closed.
    pub(crate) async fn session(&mut self) -> Option<Arc<Session>> {
        let is_up =
            |session: &Option<Arc<Session>>| session.as_ref().is_some_and(|session| !session.is_lost());
        let session = self.closed.run_until_cancelled(self.sessions.wait_for(is_up)).await?;
        session.ok().and_then(|session| session.clone())
    }

    /// Waits `duration`, or until the broker is closed.
    pub(crate) async fn pause(&self, duration: Duration) {
        self.closed.run_until_cancelled(sleep(duration)).await;
    }
}

/// Makes the connections and hands them out.
#[derive(Debug)]
pub(crate) struct Keeper {
    dialer: Arc<Dialer>,
    sessions: watch::Sender<Option<Arc<Session>>>,
    online: watch::Sender<bool>,
    closed: CancellationToken,
}

impl Keeper {
    pub(crate) fn new(dialer: Arc<Dialer>, closed: CancellationToken) -> Self {
        let (sessions, _) = watch::channel(None);
        let (online, _) = watch::channel(false);
        Self { dialer, sessions, online, closed }
    }

    pub(crate) fn line(&self) -> Line {
        Line { sessions: self.sessions.subscribe(), closed: self.closed.clone() }
    }

    pub(crate) fn online(&self) -> watch::Receiver<bool> {
        self.online.subscribe()
    }

    /// Makes the first connection, unless it fails for a reason that waiting cannot mend.
    pub(crate) async fn open(&self, stop: &CancellationToken) -> Result<(), ConnectError> {
        let session =
            stop.run_until_cancelled(self.dial_first()).await.unwrap_or(Err(ConnectError::Closed))?;
        self.hand_out(session);
        Ok(())
    }

    async fn dial_first(&self) -> Result<Session, ConnectError> {
        let mut backoff = Backoff::default();
        let mut told = false;
        loop {
            let error = match self.dialer.dial().await {
                Ok(session) => return Ok(session),
                Err(error) if error.is_final() => return Err(error),
                Err(error) => error,
            };
            let cause = cause(&error);
            if std::mem::replace(&mut told, true) {
                debug!(%error, cause, "still no connection to RabbitMQ");
            } else {
                warn!(%error, cause, "no connection to RabbitMQ yet; trying until there is one");
            }
            sleep(backoff.next()).await;
        }
    }

    /// Keeps the line up until the broker is closed.
    pub(crate) async fn keep(self) {
        let closed = self.closed.clone();
        closed.run_until_cancelled(self.keep_forever()).await;
        self.hang_up().await;
    }

    async fn keep_forever(&self) {
        loop {
            let session = self.sessions.borrow().clone();
            if let Some(session) = session {
                session.watch().await;
            }
            self.sessions.send_replace(None);
            self.online.send_replace(false);
            warn!(
                broker.address = self.dialer.address(),
                "lost the connection to RabbitMQ; connecting again"
            );
            let session = self.dial_again().await;
            self.hand_out(session);
            info!(broker.address = self.dialer.address(), "connected to RabbitMQ again");
        }
    }

    async fn dial_again(&self) -> Session {
        let mut backoff = Backoff::default();
        let mut told = false;
        loop {
            let error = match self.dialer.dial().await {
                Ok(session) => return session,
                Err(error) => error,
            };
            let cause = cause(&error);
            // What waiting cannot mend needs a person, who should find it in the log; once is enough.
            if error.is_final() && !std::mem::replace(&mut told, true) {
                warn!(%error, cause, "RabbitMQ refuses the connection; trying on");
            } else {
                debug!(%error, cause, "still no connection to RabbitMQ");
            }
            sleep(backoff.next()).await;
        }
    }

    fn hand_out(&self, session: Session) {
        self.sessions.send_replace(Some(Arc::new(session)));
        self.online.send_replace(true);
    }

    async fn hang_up(&self) {
        let session = self.sessions.send_replace(None);
        self.online.send_replace(false);
        if let Some(session) = session {
            session.lost.cancel();
            let closed = session.connection.close(200, "closed".into());
            if let Ok(Err(error)) = tokio::time::timeout(Duration::from_secs(2), closed).await {
                debug!(%error, "the connection to RabbitMQ did not close in order");
            }
        }
    }
}

/// Logs what the broker says by itself. A lost connection is told elsewhere.
fn tell(event: &Event) {
    match event {
        Event::ConnectionBlocked(reason) => warn!(reason, "RabbitMQ takes no messages for now"),
        Event::ConnectionUnblocked => info!("RabbitMQ takes messages again"),
        event => debug!(?event, "the connection to RabbitMQ"),
    }
}

fn cause(error: &ConnectError) -> String {
    std::error::Error::source(error).map(ToString::to_string).unwrap_or_default()
}
