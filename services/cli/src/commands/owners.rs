//! `rekindle owners`: what owners have left of their month's money.

use contract::control::{ListOwners, OwnerList, OwnerView};

use crate::{
    context::Context,
    exit::Exit,
    text::{dollars, table},
};

pub(crate) async fn run(context: &Context) -> anyhow::Result<Exit> {
    let list = context.connect().await?.ask(&ListOwners {}).await?;
    context.output.answer(&list, || describe(&list))?;
    Ok(Exit::Success)
}

fn describe(list: &OwnerList) -> String {
    if list.owners.is_empty() {
        return format!("no owner is named in the settings, and nothing was spent in {}\n", list.month);
    }
    let month = list.month.to_string();
    table(&["OWNER", &month, "SPENT", "RESERVED", "LEFT", "WAITING"], list.owners.iter().map(row))
}

fn row(owner: &OwnerView) -> Vec<String> {
    let limit = |usd: Option<f64>| usd.map_or_else(|| "no limit".into(), dollars);
    vec![
        owner.owner.clone(),
        limit(owner.monthly_usd),
        dollars(owner.spent_usd),
        dollars(owner.reserved_usd),
        limit(owner.left_usd),
        owner.waiting.to_string(),
    ]
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn owners_are_a_table() {
        let text = include_str!("../../../../shared/contract/golden/owner.list_reply.v1.json");
        let list: OwnerList = contract::decode(text.as_bytes()).unwrap();
        expect![[r#"
            OWNER        2026-11   SPENT   RESERVED  LEFT      WAITING
            vision-team  $50.00    $41.25  $6.50     $2.25     3
            visitor      no limit  $0.50   $0.00     no limit  0
        "#]]
        .assert_eq(&describe(&list));
        let nobody = OwnerList { owners: Vec::new(), ..list };
        assert!(describe(&nobody).ends_with("nothing was spent in 2026-11\n"));
    }
}
