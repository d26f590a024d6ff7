//! One channel with a window of unconfirmed publishes. What is not confirmed when the channel or the connection ends
//! is sent again, in the same order, on the next one.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use futures::{StreamExt, stream::FuturesUnordered};
use lapin::{Channel, Confirmation, options::ConfirmSelectOptions};
use tokio::sync::{mpsc, oneshot};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::debug;

use crate::{
    PublishError,
    backoff::Backoff,
    line::{Line, Session},
    parcel::Parcel,
};

/// How a lane publishes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// How many publishes may be unconfirmed.
    pub(crate) window: usize,
    /// Whether a message that no queue takes comes back.
    pub(crate) mandatory: bool,
}

/// Where parcels are handed in.
#[derive(Debug, Clone)]
pub(crate) struct Lane {
    parcels: mpsc::Sender<Posting>,
}

/// The promise of a confirm.
#[derive(Debug)]
pub(crate) struct Receipt(oneshot::Receiver<Result<(), PublishError>>);

#[derive(Debug)]
struct Posting {
    parcel: Arc<Parcel>,
    receipt: oneshot::Sender<Result<(), PublishError>>,
}

impl Lane {
    /// Starts the task that publishes. It ends once `finish` is cancelled and what was handed in is confirmed, or when
    /// the line is closed.
    pub(crate) fn start(
        settings: Settings,
        line: Line,
        finish: CancellationToken,
        tasks: &TaskTracker,
    ) -> Self {
        let (parcels, incoming) = mpsc::channel(settings.window);
        let publisher = Publisher {
            settings,
            line,
            finish,
            incoming,
            unconfirmed: BTreeMap::new(),
            next: 0,
            careful: false,
        };
        tasks.spawn(publisher.run());
        Self { parcels }
    }

    /// Hands in a parcel, waiting for room in the window.
    pub(crate) async fn hand_in(&self, parcel: Parcel) -> Result<Receipt, PublishError> {
        let (receipt, confirmed) = oneshot::channel();
        let posting = Posting { parcel: Arc::new(parcel), receipt };
        self.parcels.send(posting).await.map_err(|_| PublishError::Closed)?;
        Ok(Receipt(confirmed))
    }
}

impl Receipt {
    /// Waits for the confirm. Who stops waiting takes the message back, unless it is on its way already.
    pub(crate) async fn confirmed(self) -> Result<(), PublishError> {
        self.0.await.unwrap_or(Err(PublishError::Closed))
    }
}

/// Why a channel is no longer used.
enum End {
    /// Nothing more will come, and all is confirmed.
    Finished,
    /// The channel or the connection is gone.
    Broken(Option<lapin::Error>),
}

struct Publisher {
    settings: Settings,
    line: Line,
    finish: CancellationToken,
    incoming: mpsc::Receiver<Posting>,
    /// What was handed in, by its order.
    unconfirmed: BTreeMap<u64, Posting>,
    next: u64,
    /// Whether messages go one at a time, to find the one over which the broker closes the channel.
    careful: bool,
}

impl Publisher {
    async fn run(mut self) {
        let mut backoff = Backoff::default();
        while let Some(session) = self.next_session().await {
            let end = match session.outcome(open(&session)).await {
                Ok(channel) => self.publish_on(&session, &channel).await,
                Err(error) => End::Broken(Some(error)),
            };
            let End::Broken(error) = end else { return };
            debug!(?error, waiting = self.unconfirmed.len(), "a publishing channel ended");
            match error.filter(lapin::Error::is_amqp_soft_error) {
                Some(error) => self.blame(error),
                None => backoff.reset(),
            }
            self.line.pause(backoff.next()).await;
        }
    }

    /// The session to publish on; `None` once the line is closed, or nothing is left to be published.
    async fn next_session(&mut self) -> Option<Arc<Session>> {
        while !self.is_finished() || !self.unconfirmed.is_empty() {
            tokio::select! {
                session = self.line.session() => return session,
                () = self.finish.cancelled(), if !self.incoming.is_closed() => self.incoming.close(),
            }
        }
        None
    }

    /// Whether nothing more will be handed in.
    fn is_finished(&self) -> bool {
        self.incoming.is_closed() && self.incoming.is_empty()
    }

    async fn publish_on(&mut self, session: &Session, channel: &Channel) -> End {
        let mut to_send: VecDeque<u64> = self.unconfirmed.keys().copied().collect();
        let mut in_flight = FuturesUnordered::new();
        loop {
            while in_flight.len() < self.window() {
                let Some(number) = to_send.pop_front() else { break };
                let Some(parcel) = self.wanted(number) else { continue };
                let mandatory = self.settings.mandatory;
                in_flight.push(async move { (number, parcel.publish(channel, mandatory).await) });
            }
            if to_send.is_empty() && in_flight.is_empty() {
                self.careful = false;
                if self.is_finished() {
                    return End::Finished;
                }
            }
            tokio::select! {
                Some((number, outcome)) = in_flight.next() => match outcome {
                    Ok(confirmation) => self.confirm(number, confirmation),
                    Err(error) => return End::Broken(Some(error)),
                },
                Some(posting) = self.incoming.recv(), if self.unconfirmed.len() < self.settings.window => {
                    to_send.push_back(self.next);
                    self.unconfirmed.insert(self.next, posting);
                    self.next += 1;
                }
                () = self.finish.cancelled(), if !self.incoming.is_closed() => self.incoming.close(),
                () = session.lost() => return End::Broken(None),
            }
        }
    }

    fn window(&self) -> usize {
        if self.careful { 1 } else { self.settings.window }
    }

    /// The parcel, if somebody still waits for its confirm.
    fn wanted(&mut self, number: u64) -> Option<Arc<Parcel>> {
        let posting = self.unconfirmed.get(&number)?;
        if posting.receipt.is_closed() {
            self.unconfirmed.remove(&number);
            return None;
        }
        Some(posting.parcel.clone())
    }

    fn confirm(&mut self, number: u64, confirmation: Confirmation) {
        let Some(Posting { parcel, receipt }) = self.unconfirmed.remove(&number) else { return };
        let result = match confirmation {
            Confirmation::Ack(Some(_)) => Err(PublishError::Unroutable {
                exchange: parcel.exchange.to_string(),
                routing_key: parcel.routing_key.to_string(),
            }),
            Confirmation::Ack(None) | Confirmation::NotRequested => Ok(()),
            Confirmation::Nack(_) => {
                Err(PublishError::Nacked { routing_key: parcel.routing_key.to_string() })
            }
        };
        // Nobody may be waiting any more; the message is out all the same.
        let _ = receipt.send(result);
    }

    /// The broker closed the channel over one of the unconfirmed messages. If there is only one, it is that one;
    /// otherwise they go one at a time from now on, until it shows.
    fn blame(&mut self, error: lapin::Error) {
        let alone = self.careful || self.unconfirmed.len() == 1;
        let first = self.unconfirmed.first_entry().filter(|_| alone);
        match first {
            Some(posting) => {
                let Posting { parcel, receipt } = posting.remove();
                let (exchange, routing_key) = (parcel.exchange.to_string(), parcel.routing_key.to_string());
                let error = Box::new(error);
                let _ = receipt.send(Err(PublishError::Refused { exchange, routing_key, error }));
            }
            None => self.careful = true,
        }
    }
}

async fn open(session: &Session) -> lapin::Result<Channel> {
    let channel = session.connection().create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    Ok(channel)
}
