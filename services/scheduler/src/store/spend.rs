//! What was spent. The rows of a job outlive it: money that is spent stays spent.

use std::{collections::BTreeMap, time::Duration};

use contract::{
    Month, Seconds,
    control::{CostGroup, CostLine, CostSum, GetCost},
};
use rusqlite::{Connection, Transaction, params};
use serde::de::DeserializeOwned;

use super::{JobRow, StoreError};
use crate::core::BillLine;

/// Writes the lines of a job's bill as they are now, so that a batch which is written again adds nothing.
pub(super) fn save(transaction: &Transaction<'_>, job: &JobRow) -> Result<(), StoreError> {
    let mut save = transaction.prepare_cached(
        "INSERT INTO spend (job_id, month, gpu, tier, owner, workload, sweep, ms, usd, usd_on_demand)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT (job_id, month, gpu, tier) DO UPDATE SET ms = ?8, usd = ?9, usd_on_demand = ?10
         WHERE ms <> ?8 OR usd <> ?9 OR usd_on_demand <> ?10",
    )?;
    let JobRow { id, owner, workload, sweep, .. } = job;
    for BillLine { month, gpu, tier, ms, usd, usd_on_demand } in job.bill.lines() {
        let (month, gpu, tier) = (month.to_string(), gpu.as_str(), tier.to_string());
        let ms = i64::try_from(*ms).unwrap_or(i64::MAX);
        save.execute(params![id, month, gpu, tier, owner, workload, sweep, ms, usd, usd_on_demand])?;
    }
    Ok(())
}

/// The money of a month by owner.
pub(super) fn by_owner(connection: &Connection, month: Month) -> Result<BTreeMap<String, f64>, StoreError> {
    let mut sum =
        connection.prepare_cached("SELECT owner, SUM(usd) FROM spend WHERE month = ?1 GROUP BY owner")?;
    let owners = sum.query_map([month.to_string()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(owners.collect::<Result<_, _>>()?)
}

/// Sums by group, class and tier.
pub(super) fn cost(connection: &Connection, query: &GetCost) -> Result<Vec<CostLine>, StoreError> {
    let GetCost { by, since, until, owner, workload } = query;
    let group = match by {
        CostGroup::Owner => "owner",
        CostGroup::Workload => "workload",
        CostGroup::Class => "NULL",
        CostGroup::Month => "month",
        CostGroup::Sweep => "sweep",
    };
    let mut sums = connection.prepare_cached(&format!(
        "SELECT {group} AS name, gpu, tier, SUM(ms), SUM(usd), SUM(usd_on_demand) FROM spend
         WHERE (?1 IS NULL OR ?1 <= month) AND (?2 IS NULL OR month <= ?2)
         AND (?3 IS NULL OR owner = ?3) AND (?4 IS NULL OR workload = ?4)
         GROUP BY name, gpu, tier ORDER BY name NULLS LAST, SUM(usd) DESC, gpu, tier"
    ))?;
    let [since, until] = [since, until].map(|month| month.map(|month| month.to_string()));
    let workload = workload.as_ref().map(|workload| workload.as_str());
    let mut rows = sums.query(params![since, until, owner, workload])?;
    let mut lines = Vec::new();
    while let Some(row) = rows.next()? {
        let ms: i64 = row.get(3)?;
        let (usd, usd_on_demand): (f64, f64) = (row.get(4)?, row.get(5)?);
        lines.push(CostLine {
            group: row.get(0)?,
            gpu: name(row.get(1)?)?,
            tier: name(row.get(2)?)?,
            sum: CostSum {
                running: Seconds::from(Duration::from_millis(ms.cast_unsigned())),
                usd,
                saved_usd: usd_on_demand - usd,
            },
        });
    }
    Ok(lines)
}

fn name<T: DeserializeOwned>(text: String) -> Result<T, StoreError> {
    serde_json::from_value(text.into())
        .map_err(|error| StoreError::Unreadable { what: "a line of a bill".into(), error })
}
