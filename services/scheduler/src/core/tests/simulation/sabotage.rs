//! Rules broken on purpose, to show that each promise is held to.

/// One broken rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sabotage {
    /// A lease is granted and not saved.
    UnsavedLease,
    /// Answers leave before what they say is saved.
    AnswerBeforeCommit,
    /// What was saved to be sent is forgotten when the scheduler dies.
    ForgottenOutbox,
    /// The checkpoint-store takes a checkpoint from any attempt.
    NoFence,
    /// Workers run on when their time or money is over, and their grace time as well.
    IgnoredLimit,
    /// The core pays nothing for the time in which a run may stop.
    UnpaidGrace,
    /// The core runs more jobs of a workload than its rules say.
    RaisedConcurrency,
    /// The core runs as many jobs of an owner as the workloads let.
    NoOwnerLimits,
    /// A scheduler that starts again gives the last number out once more.
    RepeatedToken,
    /// A scheduler that starts again has paid twice.
    PaidTwice,
    /// A scheduler that starts again has lost the bills.
    LostBill,
    /// The core does not keep in mind what owners have spent.
    ForgottenSpending,
    /// The core reserves nothing for the attempts that it grants.
    NoReservations,
    /// A scheduler that starts again lets go on what somebody paused.
    ForgottenPause,
    /// A scheduler that starts again has more trials of a sweep under way than somebody asked for.
    RaisedSweep,
    /// The core reserves nothing of a sweep's money for the attempts of its trials.
    NoSweepReservations,
    /// A scheduler that starts again takes the trials that are over to have cost nothing.
    ForgottenTrials,
    /// A scheduler that starts again knows the last figure of each trial, and not the best.
    ForgottenFigures,
    /// Trials are launched, and the sweep is not saved.
    UnsavedSweep,
    /// Nobody tells the core that time passes.
    NoTicks,
}

/// Each broken rule, with words of the promise that it breaks.
pub(super) const ALL: [(Sabotage, &str); 20] = [
    (Sabotage::UnsavedLease, "is saved as it is"),
    (Sabotage::AnswerBeforeCommit, "was said and not saved"),
    (Sabotage::ForgottenOutbox, "was never told of its end"),
    (Sabotage::NoFence, "come from one attempt at a time"),
    (Sabotage::IgnoredLimit, "spends no more"),
    (Sabotage::UnpaidGrace, "spends no more"),
    (Sabotage::RaisedConcurrency, "has"),
    (Sabotage::NoOwnerLimits, "owns"),
    (Sabotage::RepeatedToken, "counts its attempts up"),
    (Sabotage::PaidTwice, "is the cost of its attempts"),
    (Sabotage::LostBill, "is the time of its ledger"),
    (Sabotage::ForgottenSpending, "spends no more in a month"),
    (Sabotage::NoReservations, "spends no more in a month"),
    (Sabotage::ForgottenPause, "is paused, and is granted"),
    (Sabotage::RaisedSweep, "trials under way"),
    (Sabotage::NoSweepReservations, "than its max_usd"),
    (Sabotage::ForgottenTrials, "has cost"),
    (Sabotage::ForgottenFigures, "is the best"),
    (Sabotage::UnsavedSweep, "is saved as it is"),
    (Sabotage::NoTicks, "never ends"),
];
