//! `rekindle cost`: what was spent.

use clap::ValueEnum;
use contract::{
    Month, Workload,
    control::{Cost, CostGroup, CostLine, CostSum, GetCost},
};

use crate::{
    context::Context,
    exit::Exit,
    text::{dollars, table},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// What the sums are for; class and tier are told apart in any case.
    #[arg(long, value_enum, default_value_t = By::Owner)]
    by: By,
    /// Only this month, in UTC, such as 2026-11.
    #[arg(long, value_name = "YYYY-MM", conflicts_with = "since")]
    month: Option<Month>,
    /// Only from this month on.
    #[arg(long, value_name = "YYYY-MM")]
    since: Option<Month>,
    /// Only this owner's.
    #[arg(long)]
    owner: Option<String>,
    /// Only this kind of work.
    #[arg(long, short)]
    workload: Option<Workload>,
}

/// The command line's names for [`CostGroup`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    Owner,
    Workload,
    Class,
    Month,
    Sweep,
}

impl From<By> for CostGroup {
    fn from(by: By) -> Self {
        match by {
            By::Owner => Self::Owner,
            By::Workload => Self::Workload,
            By::Class => Self::Class,
            By::Month => Self::Month,
            By::Sweep => Self::Sweep,
        }
    }
}

pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<Exit> {
    let Arguments { by, month, since, owner, workload } = arguments;
    let request = GetCost { by: by.into(), since: since.or(month), until: month, owner, workload };
    let cost = context.connect().await?.ask(&request).await?;
    context.output.answer(&cost, || describe(&cost, by))?;
    Ok(Exit::Success)
}

fn describe(cost: &Cost, by: By) -> String {
    if cost.lines.is_empty() {
        return "nothing was spent\n".into();
    }
    let (group, absent) = match by {
        By::Owner => (Some("OWNER"), ""),
        By::Workload => (Some("WORKLOAD"), ""),
        By::Month => (Some("MONTH"), ""),
        By::Sweep => (Some("SWEEP"), "no sweep"),
        By::Class => (None, ""),
    };
    let row = |line: &CostLine| {
        let name = line.group.as_deref().unwrap_or(absent);
        cells(group.map(|_| name), &format!("{} {}", line.gpu, line.tier), line.sum)
    };
    let total = cells(group.map(|_| "total"), group.map_or("total", |_| ""), cost.total);
    let header: Vec<&str> = group.into_iter().chain(["GPU", "HOURS", "COST", "SAVED"]).collect();
    let mut text = table(&header, cost.lines.iter().map(row).chain([total]));
    if 0 < cost.omitted {
        let omitted = cost.omitted;
        text =
            format!("{text}{omitted} smaller sums are not listed; --owner, --workload and --month choose\n");
    }
    text
}

fn cells(group: Option<&str>, machine: &str, sum: CostSum) -> Vec<String> {
    let hours = sum.running.as_f64() / 3600.0;
    let cells = [machine.to_owned(), format!("{hours:.2}"), dollars(sum.usd), dollars(sum.saved_usd)];
    group.map(str::to_owned).into_iter().chain(cells).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn cost() -> Cost {
        let text = include_str!("../../../../shared/contract/golden/cost.get_reply.v1.json");
        contract::decode(text.as_bytes()).unwrap()
    }

    #[test]
    fn sums_are_a_table_with_a_total() {
        expect![[r#"
            OWNER        GPU           HOURS  COST   SAVED
            vision-team  l4 on-demand  5.00   $3.00  $0.00
            vision-team  l4 spot       10.00  $2.40  $3.60
            total                      15.00  $5.40  $3.60
        "#]]
        .assert_eq(&describe(&cost(), By::Owner));
    }

    #[test]
    fn classes_need_no_other_name_and_what_is_left_out_is_said() {
        let mut cost = Cost { omitted: 3, ..cost() };
        cost.lines.iter_mut().for_each(|line| line.group = None);
        expect![[r#"
            GPU           HOURS  COST   SAVED
            l4 on-demand  5.00   $3.00  $0.00
            l4 spot       10.00  $2.40  $3.60
            total         15.00  $5.40  $3.60
            3 smaller sums are not listed; --owner, --workload and --month choose
        "#]]
        .assert_eq(&describe(&cost, By::Class));
        assert!(describe(&cost, By::Sweep).contains("\nno sweep  l4 spot"));
    }

    #[test]
    fn nothing_spent_is_said() {
        let cost = Cost { lines: Vec::new(), omitted: 0, total: CostSum::default() };
        assert_eq!(describe(&cost, By::Owner), "nothing was spent\n");
    }
}
