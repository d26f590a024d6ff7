//! Asking about owners' money.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Message, Month};

/// Asks what owners have spent of what they may, this month.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct ListOwners {}
scheduler_request!(ListOwners, "owner.list" => OwnerList);

/// The answer to [`ListOwners`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OwnerList {
    /// The month, in UTC.
    pub month: Month,
    /// Those that are named in the settings, and those that have spent or reserved something, by name.
    pub owners: Vec<OwnerView>,
}

impl Message for OwnerList {
    const KIND: &'static str = "owner.list_reply";
}

/// An owner's money of a month, in US dollars.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OwnerView {
    /// Who.
    pub owner: String,
    /// What the owner may spend; absent where there is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monthly_usd: Option<f64>,
    /// What the attempts have cost that are over.
    pub spent_usd: f64,
    /// What attempts under way may cost at worst.
    pub reserved_usd: f64,
    /// What is left for others; absent where there is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_usd: Option<f64>,
    /// How many jobs wait for money.
    pub waiting: u32,
}
