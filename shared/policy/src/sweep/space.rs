//! From a search to its trials. A trial follows from the search and its number, so that nothing else has to be kept.

use std::collections::BTreeMap;

use contract::sweep::{Distribution, MAX_TRIALS, Search};
use serde_json::{Map, Value};

use crate::random::{below, unit};

/// A search that has no trials, too many, or none that can be drawn.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSearch {
    /// There is nothing to try.
    #[error("search has no trials; name at least one value for each parameter")]
    Empty,
    /// There is too much to try.
    #[error("search comes to {trials} trials; a sweep has at most {MAX_TRIALS}")]
    TooMany {
        /// How many.
        trials: u128,
    },
    /// Bounds that hold nothing.
    #[error("search.params.{name} {problem}")]
    Distribution {
        /// The parameter.
        name: String,
        /// What is wrong with it and what would be right.
        problem: &'static str,
    },
}

/// How many trials a search has.
///
/// # Errors
/// [`InvalidSearch`] names what is wrong.
pub fn count(search: &Search) -> Result<u32, InvalidSearch> {
    let trials: u128 = match search {
        Search::Grid { params } => {
            let sizes = params.values().map(|values| values.len() as u128);
            if params.is_empty() { 0 } else { sizes.fold(1, u128::saturating_mul) }
        }
        Search::Random { count, params, .. } => {
            params.iter().try_for_each(|(name, distribution)| check(name, distribution))?;
            if params.is_empty() { 0 } else { (*count).into() }
        }
        Search::List { trials } => trials.len() as u128,
    };
    match u32::try_from(trials) {
        Ok(0) => Err(InvalidSearch::Empty),
        Ok(trials) if trials <= MAX_TRIALS => Ok(trials),
        _ => Err(InvalidSearch::TooMany { trials }),
    }
}

fn check(name: &str, distribution: &Distribution) -> Result<(), InvalidSearch> {
    let problem = match distribution {
        Distribution::Uniform(low, high) | Distribution::LogUniform(low, high)
            if !(low.is_finite() && high.is_finite() && low <= high) =>
        {
            "goes from a larger number to a smaller one; write [low, high]"
        }
        Distribution::LogUniform(low, _) if *low <= 0.0 => "is logarithmic and begins at 0 or below",
        Distribution::Int(low, high) if high < low => {
            "goes from a larger number to a smaller one; write [low, high]"
        }
        Distribution::Choice(values) if values.is_empty() => "has nothing to choose from",
        _ => return Ok(()),
    };
    Err(InvalidSearch::Distribution { name: name.into(), problem })
}

/// The parameters that the trial of this number, from 1, has of its own; none if there is no such trial.
pub fn trial_params(search: &Search, number: u32) -> Map<String, Value> {
    let Some(index) = number.checked_sub(1) else { return Map::new() };
    match search {
        Search::Grid { params } => grid(params, index),
        Search::Random { count, .. } if *count <= index => Map::new(),
        Search::Random { seed, params, .. } => params
            .iter()
            .map(|(name, distribution)| (name.clone(), draw(distribution, *seed, number, name)))
            .collect(),
        Search::List { trials } => trials.get(index as usize).cloned().unwrap_or_default(),
    }
}

/// The digits of the index, each to the base of its parameter's values.
fn grid(params: &BTreeMap<String, Vec<Value>>, index: u32) -> Map<String, Value> {
    let mut rest = index as usize;
    let mut chosen = Map::new();
    for (name, values) in params.iter().rev() {
        if values.is_empty() {
            return Map::new();
        }
        chosen.insert(name.clone(), values[rest % values.len()].clone());
        rest /= values.len();
    }
    if rest == 0 { chosen } else { Map::new() }
}

fn draw(distribution: &Distribution, seed: u64, number: u32, name: &str) -> Value {
    match distribution {
        Distribution::Uniform(low, high) => {
            let at = unit(seed, number, name);
            // Not low + at × (high - low), which may pass the largest number there is.
            short(low * (1.0 - at) + high * at, *low, *high)
        }
        Distribution::LogUniform(low, high) => {
            let at = unit(seed, number, name);
            short((low.ln() * (1.0 - at) + high.ln() * at).exp(), *low, *high)
        }
        Distribution::Int(low, high) => {
            let span = (i128::from(*high) - i128::from(*low) + 1).unsigned_abs();
            let drawn = i128::from(*low) + below(span, seed, number, name).cast_signed();
            i64::try_from(drawn).unwrap_or(*high).into()
        }
        Distribution::Choice(values) => {
            let index = below(values.len() as u128, seed, number, name);
            usize::try_from(index).ok().and_then(|index| values.get(index)).cloned().unwrap_or_default()
        }
    }
}

/// A number with six digits, which is as much as anybody reads, within its bounds.
fn short(value: f64, low: f64, high: f64) -> Value {
    let rounded = format!("{value:.5e}").parse().unwrap_or(value);
    Value::from(f64::clamp(rounded, low, high))
}
