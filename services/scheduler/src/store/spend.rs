//! What was spent. The rows of a job outlive it: money that is spent stays spent.

use std::collections::BTreeMap;

use contract::Month;
use rusqlite::{Connection, Transaction, params};

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
