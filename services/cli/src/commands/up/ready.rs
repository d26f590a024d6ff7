//! Saying that the system is there, and what to do with it.

use std::time::Duration;

use contract::{Timestamp, WorkerId, control::ListWorkers};
use serde_json::json;
use tokio::time::{interval, timeout};

use super::plan::Plan;
use crate::{client::Client, context::Context, output::tell, text::fields};

/// How long the system may take until its absence is worth a word.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked for.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// Waits until the scheduler knows all the plan's workers, says so once, and does not return unless it cannot.
pub(crate) async fn announce(plan: &Plan, broker: &str, context: &Context) -> anyhow::Error {
    match say_so(plan, broker, context).await {
        Ok(()) => std::future::pending().await,
        Err(error) => error,
    }
}

async fn say_so(plan: &Plan, broker: &str, context: &Context) -> anyhow::Result<()> {
    if timeout(PATIENCE, until_ready(&plan.workers, context)).await.is_err() {
        tell(
            "the system is not ready yet; the lines above may say why, and `rekindle doctor` looks for more",
        );
        until_ready(&plan.workers, context).await;
    }
    let services =
        plan.services().map(|service| json!({ "name": service.name, "runs": service.description }));
    let value = json!({
        "ready": true,
        "broker": broker,
        "data": context.settings.data.dir,
        "services": services.collect::<Vec<_>>(),
    });
    Ok(context.output.line(&value, || describe(plan, broker, context))?)
}

async fn until_ready(workers: &[WorkerId], context: &Context) {
    let begin = Timestamp::now();
    let mut look = interval(LOOK_INTERVAL);
    loop {
        look.tick().await;
        // Whatever fails now may work the next time: everything is just starting.
        let Ok(client) = Client::connect(&context.settings).await else { continue };
        while let Ok(known) = client.ask(&ListWorkers {}).await {
            // Those of a former `up` are known too, but have not been heard since.
            let is_here =
                |name: &WorkerId| known.workers.iter().any(|it| it.worker == *name && begin <= it.heard_at);
            if workers.iter().all(is_here) {
                return;
            }
            look.tick().await;
        }
    }
}

fn describe(plan: &Plan, broker: &str, context: &Context) -> String {
    let settings = &context.settings;
    let mut rows = vec![("broker", broker.to_owned())];
    rows.extend(plan.services().map(|service| (service.name.as_str(), service.description.clone())));
    rows.extend(settings.data.roots.iter().map(|root| ("images", format!("below {}", root.display()))));
    format!(
        "\nready\n{}\nIn another terminal:\n  rekindle submit --workload classifier --data FOLDER --wait\n  \
         rekindle ls\n  rekindle watch\nCtrl-C here stops everything; jobs go on at the next `rekindle up`.\n\n",
        fields(&rows)
    )
}
