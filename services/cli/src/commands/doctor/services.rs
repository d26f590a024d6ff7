//! What answers: the broker, the scheduler, the checkpoint-store, the trainers.

use broker::{ConnectError, RequestError};
use contract::{
    JobId, Workload,
    checkpoints::ListCheckpoints,
    control::{ListWorkers, WorkerList},
};
use settings::Settings;
use url::Url;

use super::{check::Check, handshake};
use crate::client::Client;

/// The release from which RabbitMQ repeats a dead-lettering whose confirm got lost in time.
const PROMPT_DEAD_LETTERS: u32 = 4;

pub(crate) async fn check(settings: &Settings) -> Vec<Check> {
    let mut checks = broker(settings).await;
    match Client::connect(settings).await {
        Ok(client) => {
            checks.push(Check::ok("topology", "exchanges and queues are as this release declares them"));
            let (scheduler, store) = tokio::join!(scheduler(&client, settings), checkpoint_store(&client));
            checks.extend(scheduler);
            checks.push(store);
        }
        Err(error) => checks.push(no_connection(&error)),
    }
    checks
}

/// Who answers at the address, and whether it needs a setting.
async fn broker(settings: &Settings) -> Vec<Check> {
    let Some((address, is_plain)) = socket(&settings.broker_url()) else {
        let advice = "write amqp://user:password@host:5672/vhost";
        return vec![Check::fail("broker", "broker.url is not an address", advice)];
    };
    if !is_plain {
        return vec![Check::ok("broker", format!("{address} speaks TLS; its version is not asked for"))];
    }
    let product = match handshake::ask(&address).await {
        Ok(product) => product,
        Err(error) => {
            let advice = "`rekindle up` starts one on this machine; or set broker.url";
            return vec![Check::fail("broker", format!("{address}: {error}"), advice)];
        }
    };
    let mut checks =
        vec![Check::ok("broker", format!("{} {} answers at {address}", product.name, product.version))];
    let is_private = settings.broker.url.is_none() && settings.private_broker_folder().is_dir();
    if product.is_before(PROMPT_DEAD_LETTERS) && !is_private {
        checks.push(Check::warn(
            "dead letters",
            "before 4.0, RabbitMQ repeats a delayed retry whose confirm got lost only after 180 s",
            "set {rabbit, [{dead_letter_worker_publisher_confirm_timeout, 5000}]} in its advanced.config; not \
             needed for a private broker",
        ));
    }
    checks
}

/// Host and port of an AMQP address, and whether it is without TLS.
fn socket(url: &str) -> Option<(String, bool)> {
    let url = Url::parse(url).ok()?;
    let is_plain = url.scheme() == "amqp";
    let port = url.port().unwrap_or(if is_plain { 5672 } else { 5671 });
    Some((format!("{}:{port}", url.host_str()?), is_plain))
}

fn no_connection(error: &anyhow::Error) -> Check {
    let found = format!("{error:#}");
    match error.downcast_ref() {
        Some(ConnectError::Mismatch(_)) => Check::fail(
            "topology",
            found,
            "delete what differs once it is empty, or set broker.url to another virtual host",
        ),
        _ => Check::fail("connection", found, "see the line above; then user, password and virtual host"),
    }
}

/// Whether the scheduler answers, and whether every workload has somebody to run it.
async fn scheduler(client: &Client, settings: &Settings) -> Vec<Check> {
    let list = match client.ask(&ListWorkers {}).await {
        Ok(list) => list,
        Err(error) => return vec![no_answer("scheduler", &error)],
    };
    let mut checks = vec![Check::ok("scheduler", "answers")];
    checks.extend(settings.workloads.keys().map(|workload| workers(workload, &list)));
    checks
}

fn workers(workload: &Workload, list: &WorkerList) -> Check {
    let able = list.workers.iter().filter(|worker| worker.workload == *workload);
    let able: Vec<String> =
        able.map(|worker| format!("{} ({} {})", worker.worker, worker.gpu, worker.tier)).collect();
    let what = format!("{workload} workers");
    if able.is_empty() {
        return Check::warn(
            what,
            "none",
            format!("{workload} jobs wait until a trainer for them is started"),
        );
    }
    Check::ok(what, able.join(", "))
}

async fn checkpoint_store(client: &Client) -> Check {
    let nobody = JobId::new("doctor").expect("the name follows the rules");
    match client.ask(&ListCheckpoints { job_id: nobody, verify: false }).await {
        // That it knows no such job is an answer.
        Ok(_) | Err(RequestError::Refused(_)) => Check::ok("checkpoint-store", "answers"),
        Err(error) => no_answer("checkpoint-store", &error),
    }
}

fn no_answer(service: &str, error: &RequestError) -> Check {
    Check::fail(service, error.to_string(), "`rekindle up` starts all services of one machine")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::check::Verdict;

    #[test]
    fn addresses_have_default_ports() {
        let check = |url, address: &str, is_plain| {
            assert_eq!(socket(url), Some((address.to_owned(), is_plain)));
        };
        check("amqp://guest:guest@127.0.0.1:25999/%2f", "127.0.0.1:25999", true);
        check("amqp://host", "host:5672", true);
        check("amqps://me:p%40ss@host/vhost", "host:5671", false);
        assert_eq!(socket("rabbit"), None);
    }

    #[test]
    fn a_workload_that_nobody_can_run_is_pointed_out() {
        let text = include_str!("../../../../../shared/contract/golden/worker.list_reply.v1.json");
        let list: WorkerList = contract::decode(text.as_bytes()).unwrap();
        let verdict = |name: &str| workers(&name.parse().unwrap(), &list).verdict;
        assert_eq!(verdict("classifier"), Verdict::Ok);
        assert_eq!(verdict("dit"), Verdict::Warn);
    }
}
