//! `rekindle estimate`: what a job would come to, and what at worst.

use std::time::Duration;

use contract::{Estimate, ExpectedCase, control::EstimateJob};

use crate::{
    context::Context,
    exit::Exit,
    submission::SubmissionArguments,
    text::{
        choice::{considered, memory},
        dollars, fields, length,
    },
};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    submission: SubmissionArguments,
}

pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<Exit> {
    let submission = arguments.submission.into_submission()?;
    let reply = context.connect().await?.ask(&EstimateJob { submission }).await?;
    context.output.answer(&reply.estimate, || describe(&reply.estimate))?;
    Ok(Exit::Success)
}

/// An estimate in full: its fields, and every class that was considered.
fn describe(estimate: &Estimate) -> String {
    let rows = fields(&rows(estimate));
    match estimate.considered.is_empty() {
        true => rows,
        false => format!("{rows}\n{}", considered(&estimate.considered)),
    }
}

/// An estimate's fields.
pub(crate) fn rows(estimate: &Estimate) -> Vec<(&'static str, String)> {
    let mut rows = vec![(
        "gpu",
        format!(
            "{} {}, {} an hour: {}",
            estimate.gpu,
            estimate.tier,
            dollars(estimate.usd_per_hour),
            estimate.gpu_reason
        ),
    )];
    rows.extend(estimate.expected.as_ref().map(|case| ("expected", expected(case))));
    let worst = figures(estimate.worst_attempts, estimate.worst_seconds, estimate.worst_usd);
    rows.push(("at worst", worst));
    rows.extend(estimate.memory.as_ref().map(|need| ("memory", memory(need))));
    rows.extend(estimate.warnings.iter().map(|warning| ("warning", warning.clone())));
    rows
}

/// `1 attempt, 12m, $0.07: the median of 5 jobs with the same parameters on t4`; a bound is told apart.
fn expected(case: &ExpectedCase) -> String {
    let figures = figures(case.attempts, case.seconds, case.usd);
    match case.runs {
        0 => format!("at most {figures} if nothing fails: {}", case.basis),
        _ => format!("{figures}: {}", case.basis),
    }
}

fn figures(attempts: u32, seconds: f64, usd: f64) -> String {
    let time = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    let plural = if attempts == 1 { "" } else { "s" };
    format!("{attempts} attempt{plural}, {}, {}", length(time), dollars(usd))
}

#[cfg(test)]
mod tests {
    use contract::control::EstimateReply;
    use expect_test::expect;

    use super::*;

    fn estimate() -> Estimate {
        let text = include_str!("../../../../shared/contract/golden/job.estimate_reply.v1.json");
        contract::decode::<EstimateReply>(text.as_bytes()).unwrap().estimate
    }

    #[test]
    fn an_estimate_names_class_tier_price_and_both_cases() {
        expect![[r#"
            gpu       l4 on-demand, $0.60 an hour: first of the submission's classes that a worker offers
            expected  1 attempt, 30m, $0.30: the median of 5 jobs with the same parameters on l4
            at worst  9 attempts, 4h, $2.40
            memory    8192 MiB: as resources.memory_mib says
            warning   no worker offers l4 at present; the job waits until one does

            CLASS         MEMORY     AN HOUR  CHOICE  WHY
            l4 spot       23034 MiB  $0.24    taken   the first of the classes the job asks for
            l4 on-demand  23034 MiB  $0.60    later   comes after l4 (spot)
        "#]]
        .assert_eq(&describe(&estimate()));
    }

    #[test]
    fn a_bound_is_not_told_as_if_it_were_known() {
        let basis = "no such job has succeeded on l4 yet".to_owned();
        let case = ExpectedCase { attempts: 1, seconds: 3600.0, usd: 0.6, runs: 0, basis };
        let text = "at most 1 attempt, 1h, $0.60 if nothing fails: no such job has succeeded on l4 yet";
        assert_eq!(expected(&case), text);
    }
}
