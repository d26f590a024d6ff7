//! Exchanges, queues and bindings, as data.
//!
//! Queues that hold what must not be lost are quorum queues, and dead-letter at least once. The two queues of requests
//! are classic: a request is transient, expires with its asker's patience and is asked again by it, so a copy on disk
//! would only make it slower.

use contract::names::{
    CHECKPOINT_REQUESTS, CHECKPOINTS_KEY, DEAD_EXCHANGE, DEAD_LETTERS, EVENTS_EXCHANGE, JOBS_EXCHANGE,
    REQUESTS_EXCHANGE, SCHEDULER_EVENTS, SCHEDULER_JOBS, SCHEDULER_KEY, SCHEDULER_REQUESTS, SUBMIT_KEY,
    UNROUTABLE, UNROUTABLE_EXCHANGE, WORK_EXCHANGE,
};

use crate::delay;

/// How often an attempt is delivered before it counts as poison.
const WORK_DELIVERIES: i64 = 20;
/// How often anything else is. High, because an orderly stop hands back what was fetched ahead, which counts too.
const DELIVERIES: i64 = 1_000;
/// For queues that nothing may ever leave by itself. RabbitMQ's own word for "no limit" is faulty.
const ENDLESS_DELIVERIES: i64 = 1_000_000_000;

/// The events that the scheduler acts upon. Progress is not among them: heartbeats carry it.
const SCHEDULER_EVENT_KEYS: [&str; 5] =
    ["attempt.*.started", "attempt.*.metrics", "attempt.*.note", "attempt.*.checkpointed", "attempt.*.ended"];

/// How an exchange chooses queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExchangeKind {
    /// By the whole key.
    Direct,
    /// By a pattern over the words of the key.
    Topic,
    /// Every queue.
    Fanout,
}

/// The value of an argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Text.
    Text(String),
    /// A number.
    Number(i64),
    /// Yes or no.
    Flag(bool),
}

/// A name and a value that RabbitMQ understands.
pub type Argument = (&'static str, Value);

/// A durable exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// Its name.
    pub name: String,
    /// How it chooses queues.
    pub kind: ExchangeKind,
    /// What else it does.
    pub arguments: Vec<Argument>,
}

/// A durable queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// What it does.
    pub arguments: Vec<Argument>,
}

/// Where a binding leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// To a queue.
    Queue(String),
    /// To another exchange.
    Exchange(String),
}

/// A way from an exchange onwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The exchange.
    pub source: String,
    /// Where to.
    pub destination: Destination,
    /// The key, or the pattern of keys.
    pub key: String,
}

/// Everything to be declared, in the order in which it can be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Topology {
    /// The exchanges.
    pub exchanges: Vec<Exchange>,
    /// The queues.
    pub queues: Vec<Queue>,
    /// The bindings.
    pub bindings: Vec<Binding>,
}

/// What every service needs: all but the work queues, which come with the trainers.
pub fn topology() -> Topology {
    let mut all = Topology {
        exchanges: exchanges(),
        queues: vec![
            queue(SCHEDULER_JOBS, leading(dead_lettering(quorum(DELIVERIES), DEAD_EXCHANGE))),
            queue(SCHEDULER_EVENTS, leading(dead_lettering(quorum(DELIVERIES), DEAD_EXCHANGE))),
            queue(SCHEDULER_REQUESTS, leading(classic())),
            queue(CHECKPOINT_REQUESTS, classic()),
            queue(DEAD_LETTERS, quorum(ENDLESS_DELIVERIES)),
            queue(UNROUTABLE, quorum(ENDLESS_DELIVERIES)),
        ],
        bindings: vec![
            binding(JOBS_EXCHANGE, SCHEDULER_JOBS, SUBMIT_KEY),
            binding(REQUESTS_EXCHANGE, SCHEDULER_REQUESTS, SCHEDULER_KEY),
            binding(REQUESTS_EXCHANGE, CHECKPOINT_REQUESTS, CHECKPOINTS_KEY),
            binding(DEAD_EXCHANGE, DEAD_LETTERS, "#"),
            binding(UNROUTABLE_EXCHANGE, UNROUTABLE, ""),
        ],
    };
    all.bindings.extend(SCHEDULER_EVENT_KEYS.map(|key| binding(EVENTS_EXCHANGE, SCHEDULER_EVENTS, key)));
    for level in 0..delay::LEVELS {
        add_delay_level(&mut all, level);
    }
    all
}

/// The queue of attempts for one workload, class and tier.
pub fn work_queue(name: &str) -> Topology {
    // A delayed attempt arrives with the words of its levels before the queue's name.
    let key = format!("#.{name}");
    Topology {
        exchanges: Vec::new(),
        queues: vec![queue(name, dead_lettering(quorum(WORK_DELIVERIES), DEAD_EXCHANGE))],
        bindings: vec![binding(WORK_EXCHANGE, name, &key)],
    }
}

/// The exchange of a delay level, which has the name of its queue and tells how many milliseconds it holds a message.
pub(crate) fn delay_exchange(level: u32) -> String {
    format!("rekindle.delay.{}", delay::wait(level).as_millis())
}

fn exchanges() -> Vec<Exchange> {
    let alternate = || vec![("alternate-exchange", Value::Text(UNROUTABLE_EXCHANGE.into()))];
    let exchange = |name: &str, kind, arguments| Exchange { name: name.into(), kind, arguments };
    vec![
        exchange(UNROUTABLE_EXCHANGE, ExchangeKind::Fanout, Vec::new()),
        exchange(JOBS_EXCHANGE, ExchangeKind::Direct, alternate()),
        exchange(REQUESTS_EXCHANGE, ExchangeKind::Direct, Vec::new()),
        exchange(WORK_EXCHANGE, ExchangeKind::Topic, alternate()),
        exchange(EVENTS_EXCHANGE, ExchangeKind::Topic, Vec::new()),
        exchange(DEAD_EXCHANGE, ExchangeKind::Topic, Vec::new()),
    ]
}

/// Adds a level: what waits in it and what passes it both go on to the level below, and from the lowest to the target.
fn add_delay_level(all: &mut Topology, level: u32) {
    let name = delay_exchange(level);
    let below = level.checked_sub(1).map_or_else(|| WORK_EXCHANGE.into(), delay_exchange);
    let wait = i64::try_from(delay::wait(level).as_millis()).expect("36 hours are few milliseconds");

    let mut arguments = dead_lettering(quorum(ENDLESS_DELIVERIES), &below);
    arguments.push(("x-message-ttl", Value::Number(wait)));
    all.queues.push(queue(&name, arguments));
    all.bindings.push(binding(&name, &name, &delay::pattern(level, '1')));
    all.bindings.push(Binding {
        source: name.clone(),
        destination: Destination::Exchange(below),
        key: delay::pattern(level, '0'),
    });
    all.exchanges.push(Exchange { name, kind: ExchangeKind::Topic, arguments: Vec::new() });
}

fn queue(name: &str, arguments: Vec<Argument>) -> Queue {
    Queue { name: name.into(), arguments }
}

fn binding(exchange: &str, queue: &str, key: &str) -> Binding {
    Binding { source: exchange.into(), destination: Destination::Queue(queue.into()), key: key.into() }
}

fn classic() -> Vec<Argument> {
    vec![("x-queue-type", Value::Text("classic".into()))]
}

fn quorum(deliveries: i64) -> Vec<Argument> {
    vec![("x-queue-type", Value::Text("quorum".into())), ("x-delivery-limit", Value::Number(deliveries))]
}

/// Dead-letters at least once, which needs the overflow behaviour too.
fn dead_lettering(mut arguments: Vec<Argument>, exchange: &str) -> Vec<Argument> {
    arguments.push(("x-dead-letter-exchange", Value::Text(exchange.into())));
    arguments.push(("x-dead-letter-strategy", Value::Text("at-least-once".into())));
    arguments.push(("x-overflow", Value::Text("reject-publish".into())));
    arguments
}

/// Delivers to one consumer only, and to another when that one is gone.
fn leading(mut arguments: Vec<Argument>) -> Vec<Argument> {
    arguments.push(("x-single-active-consumer", Value::Flag(true)));
    arguments
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn everything_that_is_named_is_declared() {
        let all = topology();
        let exchanges: BTreeSet<&str> = all.exchanges.iter().map(|exchange| exchange.name.as_str()).collect();
        let queues: BTreeSet<&str> = all.queues.iter().map(|queue| queue.name.as_str()).collect();

        for binding in &all.bindings {
            assert!(exchanges.contains(binding.source.as_str()), "{binding:?}");
            match &binding.destination {
                Destination::Queue(name) => assert!(queues.contains(name.as_str()), "{binding:?}"),
                Destination::Exchange(name) => assert!(exchanges.contains(name.as_str()), "{binding:?}"),
            }
        }
        let arguments = all.queues.iter().flat_map(|queue| &queue.arguments);
        for (name, value) in arguments.chain(all.exchanges.iter().flat_map(|exchange| &exchange.arguments)) {
            if let ("x-dead-letter-exchange" | "alternate-exchange", Value::Text(exchange)) = (*name, value) {
                assert!(exchanges.contains(exchange.as_str()), "{exchange} is not declared");
            }
        }
    }

    #[test]
    fn quorum_queues_never_lose_a_dead_letter() {
        let all = topology();
        let work = work_queue("work.classifier.t4.spot");
        for queue in all.queues.iter().chain(&work.queues) {
            let has = |name| queue.arguments.iter().any(|(argument, _)| *argument == name);
            if has("x-dead-letter-exchange") {
                assert!(has("x-dead-letter-strategy") && has("x-overflow"), "{}", queue.name);
            }
            let is_quorum = queue.arguments.contains(&("x-queue-type", Value::Text("quorum".into())));
            assert_eq!(is_quorum, has("x-delivery-limit"), "{}", queue.name);
        }
    }
}
