//! The task behind a consumer: it subscribes, hands on what comes, and subscribes again after a reconnect.

use std::sync::Arc;

use contract::names::EVENTS_EXCHANGE;
use futures::StreamExt;
use lapin::{
    Channel,
    options::{
        BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions, QueueBindOptions,
        QueueDeclareOptions,
    },
    types::{FieldTable, ShortString},
};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::{
    ConnectError, Delivery,
    backoff::Backoff,
    delivery::Origin,
    lane::Lane,
    line::{Line, Session},
};

/// What is consumed.
#[derive(Debug)]
pub(crate) enum Source {
    /// A queue, with so many unsettled deliveries.
    Queue { name: String, prefetch: u16 },
    /// Events, through a queue of the subscription's own.
    Events { keys: Vec<String> },
}

#[derive(Debug)]
pub(crate) struct Subscription {
    pub(crate) source: Source,
    pub(crate) line: Line,
    pub(crate) lane: Lane,
    pub(crate) deliveries: mpsc::Sender<Delivery>,
    pub(crate) stop: CancellationToken,
}

/// A running subscription on one channel.
struct Running {
    origin: Arc<Origin>,
    stream: lapin::Consumer,
}

impl Subscription {
    /// Tells `subscribed` how the first attempt went, and runs until it is stopped.
    pub(crate) async fn run(mut self, subscribed: oneshot::Sender<Result<(), ConnectError>>) {
        let mut subscribed = Some(subscribed);
        let mut told = false;
        let mut backoff = Backoff::default();
        let stop = self.stop.clone();
        while let Some(Some(session)) = stop.run_until_cancelled(self.line.session()).await {
            match self.subscribe(&session).await {
                Ok(running) => {
                    backoff.reset();
                    told = false;
                    if let Some(subscribed) = subscribed.take() {
                        // Who asked may have given up; then `stop` is cancelled too.
                        let _ = subscribed.send(Ok(()));
                    }
                    self.hand_on(running, &session).await;
                }
                Err(error) if error.is_final() && subscribed.is_some() => {
                    subscribed.take().map(|subscribed| subscribed.send(Err(error)));
                    return;
                }
                // What waiting cannot mend needs a person, who should find it in the log; once is enough.
                Err(error) if error.is_final() && !std::mem::replace(&mut told, true) => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    warn!(%error, cause, "a consumer cannot subscribe; trying on");
                }
                Err(error) => debug!(%error, "a consumer could not subscribe"),
            }
            stop.run_until_cancelled(self.line.pause(backoff.next())).await;
        }
    }

    async fn subscribe(&self, session: &Arc<Session>) -> Result<Running, ConnectError> {
        let described = match &self.source {
            Source::Queue { name, .. } => format!("the queue {name:?}"),
            Source::Events { .. } => format!("the exchange {EVENTS_EXCHANGE:?}"),
        };
        let subscribed = session.outcome(self.try_subscribe(session)).await;
        subscribed.map_err(|error| ConnectError::from_declaration("subscribe to", &described, error))
    }

    async fn try_subscribe(&self, session: &Arc<Session>) -> lapin::Result<Running> {
        let channel = session.connection().create_channel().await?;
        let queue = match &self.source {
            Source::Queue { name, prefetch } => {
                channel.basic_qos(*prefetch, BasicQosOptions::default()).await?;
                short(name)?
            }
            Source::Events { keys } => listening_queue(&channel, keys).await?,
        };
        let settles = matches!(self.source, Source::Queue { .. });
        let options = BasicConsumeOptions { no_ack: !settles, ..Default::default() };
        let stream = channel.basic_consume(queue.clone(), "".into(), options, FieldTable::default()).await?;
        let origin = Origin {
            session: session.clone(),
            channel,
            queue: queue.to_string(),
            settles,
            lane: self.lane.clone(),
        };
        Ok(Running { origin: Arc::new(origin), stream })
    }

    /// Hands on deliveries until the channel ends or the consumer is stopped.
    async fn hand_on(&self, mut running: Running, session: &Session) {
        loop {
            let delivery = tokio::select! {
                delivery = running.stream.next() => delivery,
                () = session.lost() => return,
                () = self.stop.cancelled() => return running.cancel(session).await,
            };
            match delivery {
                Some(Ok(delivery)) => {
                    let delivery = Delivery::new(delivery, running.origin.clone());
                    tokio::select! {
                        biased;
                        // Fails only when the consumer was dropped, which stops this task too.
                        _ = self.deliveries.send(delivery) => {}
                        () = session.lost() => return,
                        () = self.stop.cancelled() => {}
                    }
                }
                Some(Err(error)) => {
                    return warn!(%error, queue = running.origin.queue, "a channel was closed");
                }
                None => return debug!(queue = running.origin.queue, "the broker ended a subscription"),
            }
        }
    }
}

impl Running {
    /// Unsubscribes, and gives back what came and was not handed on.
    async fn cancel(mut self, session: &Session) {
        let options = BasicCancelOptions::default();
        let cancelled = session.outcome(self.origin.channel.basic_cancel(self.stream.tag(), options)).await;
        if cancelled.is_err() || !self.origin.settles {
            return;
        }
        while let Some(Ok(delivery)) = self.stream.next().await {
            let options = BasicNackOptions { requeue: true, ..Default::default() };
            if !matches!(session.outcome(delivery.acker.nack(options)).await, Ok(true)) {
                return;
            }
        }
    }
}

/// A queue that only this channel's connection sees, and that goes with its consumer.
async fn listening_queue(channel: &Channel, keys: &[String]) -> lapin::Result<ShortString> {
    let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..Default::default() };
    let queue = channel.queue_declare("".into(), options, FieldTable::default()).await?;
    for key in keys {
        channel
            .queue_bind(
                queue.name().clone(),
                EVENTS_EXCHANGE.into(),
                short(key)?,
                QueueBindOptions::default(),
                FieldTable::default(),
            )
            .await?;
    }
    Ok(queue.name().clone())
}

fn short(text: &str) -> lapin::Result<ShortString> {
    ShortString::try_new(text).map_err(|error| std::io::Error::other(error).into())
}
