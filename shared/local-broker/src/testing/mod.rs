//! What tests share: one node for a whole test run ([`TestVhost`] is a corner of it), a node of one's own that can be
//! killed ([`PrivateBroker`]), a line that can be cut ([`Proxy`]), and bounded waits for a state ([`eventually`]).

mod private;
mod proxy;
mod shared;
mod vhost;
mod wait;
mod watchdog;

pub use private::PrivateBroker;
pub use proxy::Proxy;
pub use shared::SharedBroker;
pub use vhost::TestVhost;
pub use wait::eventually;
