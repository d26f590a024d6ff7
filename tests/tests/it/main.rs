//! Black-box tests: real programs against a real broker, and everything that can go wrong between them.

mod architecture;
mod bad_messages;
mod broker_deaths;
mod cancellation;
mod chaos;
mod classes;
mod classifier;
mod damage;
mod dit;
mod duplicates;
mod endings;
mod guide;
mod host_memory;
mod identity;
mod in_time;
mod lines;
mod monthly_cap;
mod scheduler_deaths;
mod side_by_side;
mod spot_notice;
mod store_deaths;
mod sweeps;
mod telemetry;
mod trainer_deaths;
