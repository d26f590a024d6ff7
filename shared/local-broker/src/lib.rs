//! local-broker
