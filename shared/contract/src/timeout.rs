//! The longest one attempt may run, as a job asks for it.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::Seconds;

/// The longest one attempt may run: a length of time, or `"auto"`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Timeout {
    /// Set from the attempt's own predicted finish, once its throughput is known.
    Auto,
    /// So long.
    After(Seconds),
}

impl From<Seconds> for Timeout {
    fn from(time: Seconds) -> Self {
        Self::After(time)
    }
}

impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::After(time) => time.fmt(f),
        }
    }
}

impl FromStr for Timeout {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim() {
            "auto" => Ok(Self::Auto),
            time => time.parse().map(Self::After).map_err(|error: String| format!("{error}, or \"auto\"")),
        }
    }
}

impl Serialize for Timeout {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.serialize_str("auto"),
            Self::After(time) => time.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Timeout {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Timeout;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of seconds, text such as \"5m\", or \"auto\"")
            }

            fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Timeout, E> {
                let time = Seconds::new(seconds);
                time.map(Timeout::After)
                    .ok_or_else(|| E::custom(format!("{seconds} is not a length of time")))
            }

            fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Timeout, E> {
                self.visit_f64(seconds as f64)
            }

            fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Timeout, E> {
                self.visit_f64(seconds as f64)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Timeout, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Timeout {
    fn schema_name() -> Cow<'static, str> {
        "Timeout".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The longest one attempt may run: a number of seconds, text such as \"5m\", or \"auto\", which \
                            sets it from the attempt's predicted finish.",
            "anyOf": [{ "type": "number", "minimum": 0 }, { "type": "string" }]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_or_auto_and_nothing_else() {
        let read = |json: &str| serde_json::from_str::<Timeout>(json).map_err(|error| error.to_string());
        let after = |seconds| Ok(Timeout::After(Seconds::new(seconds).unwrap()));
        assert_eq!(read("\"auto\""), Ok(Timeout::Auto));
        assert_eq!((read("90"), read("90.0"), read("\"1m 30s\"")), (after(90.0), after(90.0), after(90.0)));
        assert!(read("\"soon\"").unwrap_err().contains("write 90, \"90s\" or \"1h 30m\", or \"auto\""));
        assert!(read("-1").unwrap_err().contains("-1 is not a length of time"));
        assert_eq!(serde_json::to_string(&Timeout::Auto).unwrap(), "\"auto\"");
        assert_eq!(serde_json::to_string(&read("\"90s\"").unwrap()).unwrap(), "90.0");
    }
}
