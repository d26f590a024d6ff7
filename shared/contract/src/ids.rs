//! The names things go by. All are checked when they are read, so that the rest of the system can put them into
//! routing keys, object paths and SQL without a second thought.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A name that breaks the rules of its type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {given:?} is not valid: it takes 1 to {max} characters of a-z, A-Z, 0-9, '-' and '_'")]
pub struct InvalidName {
    what: &'static str,
    given: String,
    max: usize,
}

/// Declares a string type whose values are safe in routing keys, object paths and shells.
macro_rules! name {
    ($(#[doc = $doc:literal])* $type:ident, $what:literal, $max:literal) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// Checks the rules and takes the name.
            ///
            /// # Errors
            /// [`InvalidName`] says what is wrong and what would be right.
            pub fn new(name: impl Into<String>) -> Result<Self, InvalidName> {
                let name = name.into();
                let fits = (1..=$max).contains(&name.len())
                    && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
                if fits { Ok(Self(name)) } else { Err(InvalidName { what: $what, given: name, max: $max }) }
            }

            /// The name as it goes on the wire.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                let doc = [$($doc),*].concat();
                json_schema!({
                    "description": doc.trim(),
                    "type": "string",
                    "minLength": 1,
                    "maxLength": $max,
                    "pattern": "^[A-Za-z0-9_-]+$"
                })
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $type {
            type Err = InvalidName;

            fn from_str(name: &str) -> Result<Self, InvalidName> {
                Self::new(name)
            }
        }

        impl TryFrom<String> for $type {
            type Error = InvalidName;

            fn try_from(name: String) -> Result<Self, InvalidName> {
                Self::new(name)
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0
            }
        }
    };
}

name!(
    /// A job's identity. A second submission under the same id is the same job.
    JobId, "job id", 64
);
name!(
    /// A sweep's identity; with `-` and a trial's number it is that trial's job id.
    SweepId, "sweep id", 58
);
name!(
    /// A worker's identity, stable over restarts of its process (`host-0`, say).
    WorkerId, "worker id", 64
);
name!(
    /// The kind of work a job is (`classifier`, `dit`); it selects the default policy and the trainers' queue.
    Workload, "workload", 32
);
name!(
    /// A named variant of a workload's policy, such as `fast` or `full`.
    Profile, "profile", 32
);
name!(
    /// What a worker offers to compute on: `cpu`, `t4`, `l4`, `a10g`, `a100`, `h100`, `h200`, or a class of one's own.
    GpuClass, "GPU class", 32
);

impl JobId {
    /// A fresh id, ordered by time of creation.
    pub fn generate() -> Self {
        Self(uuid::Uuid::now_v7().simple().to_string())
    }
}

impl SweepId {
    /// The job of the sweep's trial of this number.
    pub fn trial(&self, number: u32) -> JobId {
        JobId(format!("{self}-{number}"))
    }

    /// A fresh id, ordered by time of creation.
    pub fn generate() -> Self {
        Self(uuid::Uuid::now_v7().simple().to_string())
    }
}

/// One life of a worker's process. A new one tells the scheduler that whatever the old one ran is dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Incarnation(pub uuid::Uuid);

impl Incarnation {
    /// An incarnation that was never before.
    pub fn generate() -> Self {
        Self(uuid::Uuid::now_v7())
    }
}

/// Whether a worker's machine can be taken away at short notice, for a lower price.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// Stays until it is given back.
    #[default]
    OnDemand,
    /// Preemptible.
    Spot,
}

impl Tier {
    /// The tier as it stands in messages, routing keys and configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OnDemand => "on-demand",
            Self::Spot => "spot",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
