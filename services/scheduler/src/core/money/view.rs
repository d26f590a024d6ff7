//! Owners' money as others see it, small enough for one message.

use std::collections::BTreeSet;

use contract::{
    MAX_MESSAGE_BYTES, Month,
    control::{OwnerList, OwnerView},
};
use policy::DEFAULT_OWNER;

use super::Account;
use crate::core::{Answer, Command, Core};

impl Core {
    /// Answers what owners have left.
    pub(in crate::core) fn list_owners(&mut self) {
        let (named, purses) = (self.desk.rules.owners.0.keys(), self.desk.purses.owners());
        let owners: BTreeSet<&String> = named.filter(|name| *name != DEFAULT_OWNER).chain(purses).collect();
        let month = Month::of(self.desk.now);
        let owners = owners.into_iter().map(|owner| self.owner_view(owner, month));
        let mut list = OwnerList { month, owners: owners.collect() };
        while MAX_MESSAGE_BYTES < contract::encode(&list).len() {
            list.owners.truncate(list.owners.len() * 9 / 10);
        }
        self.desk.commands.push(Command::Answer(Answer::Owners(list)));
    }

    fn owner_view(&self, owner: &str, month: Month) -> OwnerView {
        let desk = &self.desk;
        let monthly_usd = desk.rules.owners.monthly_usd(owner);
        let spent_usd = desk.purses.spent(owner, month).max(0.0);
        let reserved_usd = desk.purses.reserved(owner, month, desk.now, None);
        OwnerView {
            owner: owner.to_owned(),
            monthly_usd,
            spent_usd,
            reserved_usd,
            left_usd: monthly_usd.map(|cap| (cap - spent_usd - reserved_usd).max(0.0)),
            waiting: desk.index.parked.turns(&Account::Owner(owner.to_owned())).count() as u32,
        }
    }
}
